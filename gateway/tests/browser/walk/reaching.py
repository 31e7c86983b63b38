"""Steps: the keyboard alone, and paper."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.walk.walking import Walk
from tests.support.waiting import eventually

REACHABLE = """(() => {
  const all = document.querySelectorAll('a[href], button:enabled, input, select, textarea, summary, [tabindex="0"]');
  for (const each of document.querySelectorAll("[data-reach]")) delete each.dataset.reach;
  const seen = [...all].filter((each) =>
    each.checkVisibility({ visibilityProperty: true }) && !each.closest("details:not([open]) > :not(summary)"));
  seen.forEach((each, n) => { each.dataset.reach = n; });
  return seen.length;
})()"""
FOCUS = """() => {
  const at = document.activeElement;
  return [at.dataset.reach ?? null, getComputedStyle(at).outlineStyle, at.outerHTML.slice(0, 120)];
}"""


async def reaches_everything(walk: Walk, view: str) -> None:
    """By Tab alone every control is come to, and shows that it has the focus."""
    page = walk.page
    wanted = {str(n) for n in range(await page.evaluate(REACHABLE))}
    await page.locator("[data-reach='0']").focus()
    await page.keyboard.press("Shift+Tab")  # from now on it is the keyboard that moves the focus
    reached: set[str] = set()
    for _ in range(2 * len(wanted) + 4):
        number, outline, html = await page.evaluate(FOCUS)
        if number is not None:
            assert outline != "none", f"{view}: {html} does not show that it has the focus"
            reached.add(number)
        if reached == wanted:
            return
        await page.keyboard.press("Tab")
    missing = await page.evaluate(
        "(all) => all.map((n) => document.querySelector(`[data-reach='${n}']`)?.outerHTML.slice(0, 120))",
        sorted(wanted - reached),
    )
    raise AssertionError(f"{view}: Tab never comes to {missing}")


async def is_used_by_the_keyboard_alone(walk: Walk) -> None:
    """A view is chosen, a question asked and its answer tried again without a mouse; every control of each view is reached."""
    page = walk.page
    await page.locator("#to-chat").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#log")).to_be_visible()
    await walk.settings(temperature=0, max_tokens=40)
    await page.locator("#prompt").focus()
    await page.keyboard.type("Hello")
    await page.keyboard.press("Enter")
    turn = walk.turns.first
    await walk.tab.answered(turn)
    await expect(page.locator("#about")).to_be_visible()
    await reaches_everything(walk, "chat")
    asked = len(walk.tab.questions)
    await turn.locator(".again").focus()
    await page.keyboard.press("Enter")
    await eventually(lambda: len(walk.tab.questions) == asked + 1)
    await walk.tab.answered(turn)
    await page.locator("#to-compare").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".column").first).to_be_visible()
    await reaches_everything(walk, "side by side")
    await page.locator("#to-chat").focus()
    await page.keyboard.press("Enter")


async def reaches_operations(walk: Walk) -> None:
    """The operator's view, with everything that can be unfolded there."""
    await reaches_everything(walk, "operations")


async def is_printed(walk: Walk) -> None:
    """The conversation alone, black on white, all of it."""
    page = walk.page
    await expect(walk.turns.first.locator(".answer")).not_to_be_empty()
    await page.emulate_media(media="print")
    for hidden in ("header", "#ask", "#about", ".tools"):
        await expect(page.locator(hidden).first).to_be_hidden()
    await expect(walk.turns.first.locator(".question")).to_be_visible()
    await walk.look("print", aside=("page-has-heading-one",))
    assert len(await page.pdf()) > 1000
    await page.emulate_media(media="screen")
