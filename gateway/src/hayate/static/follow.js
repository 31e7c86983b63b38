// Keeps the newest words in sight, once a frame, unless the person has scrolled up to read.

const NEAR_PX = 60;

/** @param {HTMLElement} log */
export function following(log) {
  let atEnd = true;
  let scrolled = 0;
  let frame = 0;
  const follow = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (atEnd) log.scrollTop = log.scrollHeight;
    });
  };
  log.addEventListener("scroll", () => {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX || (atEnd && log.scrollTop >= scrolled);
    scrolled = log.scrollTop;
  });
  const resized = new ResizeObserver(follow);
  resized.observe(log);
  return {
    follow,
    /** Follows whatever grows in this element. @param {HTMLElement} element */
    watch: (element) => resized.observe(element),
    /** Forgets what was watched. */
    anew() {
      resized.disconnect();
      resized.observe(log);
    },
    toEnd() {
      atEnd = true;
      follow();
    },
  };
}
