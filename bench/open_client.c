/* The open loop's client: it makes every call at its moment, whatever became of those before, and notes how late everything is.
 *
 *   open_client PORT PARTS SCHEDULE OUT GIVE_UP_S [fresh]
 *
 * SCHEDULE has a line a call: microseconds from the start, and how many tokens (0: a plain call). PARTS is a folder that
 * bench/open_parts.py has filled: the requests with zeros where the number of tokens goes, and a whole plain answer. A call takes the
 * connection that was used last, as a client with a pool does, or opens one; with `fresh` every call opens its own.
 *
 * OUT.tokens gets three int32 a token: the call's number, when the token was due (ms from the start), how late it was read (0.1 us).
 * OUT.calls gets a line a call: how late it was begun, when its first token and its end were read (us after the moment in the schedule;
 * -1: never), how many tokens came, and what was wrong with it, or "whole". Its first line has the CPU seconds this process has used.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "open_common.h"

enum { LINE = 8192, PLAIN = 65536, READ = 65536, EVENTS = 256, DIGITS = 19 };
enum stage { STATUS, HEADER, SIZE, DATA, DATA_END, TRAILER, LENGTH, UNTIL_CLOSED };

struct call {
    int64_t at_ns, begun_ns, first_ns, end_ns, last_due_ns;
    int tokens, seen;
    bool done_marker, finished, retried;
    const char *wrong;
};

struct connection {
    int fd;
    int call; /* its number; -1: idle */
    bool used_before, spoke, closes, wants_out;
    enum stage stage;
    size_t left; /* of a chunk, or of a body of known length */
    size_t sent, line_size, body_line_size, plain_size;
    struct connection *idle_before, *idle_after;
    char *plain;
    char line[LINE], body_line[LINE];
};

static struct part stream_request, plain_request, plain_answer;
static struct call *calls;
static int count, begun, over, epoll_fd, port;
static struct connection *idle;
static bool fresh;
static int64_t start_ns;
static FILE *tokens_out;

static void begin(int number);

static void end(struct call *call, const char *wrong) {
    if (call->finished) return;
    call->finished = true;
    call->wrong = wrong;
    call->end_ns = now_ns();
    over++;
}

static void unlink_idle(struct connection *one) {
    if (one->idle_before)
        one->idle_before->idle_after = one->idle_after;
    else
        idle = one->idle_after;
    if (one->idle_after) one->idle_after->idle_before = one->idle_before;
}

/* A connection that had been kept and ends before a byte of the answer was closing already: the call moves once, as clients do. */
static void lost(struct connection *one, const char *wrong) {
    int number = one->call;
    bool again = number >= 0 && one->used_before && !one->spoke && !calls[number].retried;
    if (number < 0)
        unlink_idle(one);
    else if (!again)
        end(&calls[number], wrong);
    close(one->fd);
    free(one->plain);
    free(one);
    if (again) {
        calls[number].retried = true;
        begin(number);
    }
}

static int32_t within(int64_t value) {
    return (int32_t)(value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value);
}

/* One line of a stream: a token if it carries the moment at which it was due. */
static void body_line(struct connection *one, int64_t read_ns) {
    struct call *call = &calls[one->call];
    char *line = one->body_line;
    line[one->body_line_size] = 0;
    if (strncmp(line, "data:", 5) != 0) return;
    if (strncmp(line + 5 + (line[5] == ' '), "[DONE]", 6) == 0) {
        call->done_marker = true;
        return;
    }
    char *due = strstr(line, "due:");
    if (due == NULL) {
        if (strstr(line, "\"error\"") && !call->wrong) call->wrong = "an error event";
        return;
    }
    int64_t due_ns = 0;
    for (int place = 4; place < 4 + DIGITS; place++) {
        if (due[place] < '0' || due[place] > '9') {
            call->wrong = "a token without its moment";
            return;
        }
        due_ns = due_ns * 10 + due[place] - '0';
    }
    if (due_ns <= call->last_due_ns) call->wrong = "tokens out of order";
    call->last_due_ns = due_ns;
    if (call->seen++ == 0) call->first_ns = read_ns;
    int32_t record[3] = {one->call, within((due_ns - start_ns) / 1000000), within((read_ns - due_ns) / 100)};
    fwrite(record, sizeof record, 1, tokens_out);
}

static void body(struct connection *one, const char *bytes, size_t size, int64_t read_ns) {
    struct call *call = &calls[one->call];
    if (call->tokens == 0) {
        if (one->plain == NULL) one->plain = malloc(PLAIN + 1);
        if (size > PLAIN - one->plain_size) size = PLAIN - one->plain_size;
        memcpy(one->plain + one->plain_size, bytes, size);
        one->plain_size += size;
        return;
    }
    for (size_t at = 0; at < size;) {
        const char *newline = memchr(bytes + at, '\n', size - at);
        size_t length = newline ? (size_t)(newline - bytes) - at : size - at;
        size_t kept = length < LINE - 1 - one->body_line_size ? length : LINE - 1 - one->body_line_size;
        memcpy(one->body_line + one->body_line_size, bytes + at, kept);
        one->body_line_size += kept;
        if (newline) {
            body_line(one, read_ns);
            one->body_line_size = 0;
        }
        at += length + (newline != NULL);
    }
}

static const char *plain_complaint(struct connection *one) {
    if (one->plain == NULL) return "an empty answer";
    if (one->plain_size == plain_answer.size && memcmp(one->plain, plain_answer.bytes, plain_answer.size) == 0) return NULL;
    one->plain[one->plain_size] = 0; /* the same in other bytes: its last word, its end and its count must be there */
    if (!strstr(one->plain, "63\"")) return "another text";
    if (!strstr(one->plain, "\"length\"")) return "no finish_reason";
    return strstr(one->plain, "\"completion_tokens\":64") || strstr(one->plain, "\"completion_tokens\": 64") ? NULL : "usage wrong";
}

/* The answer has ended as HTTP says: is it whole? */
static void ended(struct connection *one) {
    struct call *call = &calls[one->call];
    static char text[64];
    const char *wrong = call->wrong;
    if (!wrong && call->tokens == 0) wrong = plain_complaint(one);
    if (!wrong && call->tokens && !call->done_marker) wrong = "did not end with [DONE]";
    if (!wrong && call->tokens != call->seen) {
        snprintf(text, sizeof text, "%d of %d tokens", call->seen, call->tokens);
        wrong = strdup(text);
    }
    end(call, wrong);
    free(one->plain);
    one->plain = NULL;
    if (fresh || one->closes || wrong) {
        close(one->fd);
        free(one);
        return;
    }
    one->call = -1;
    one->idle_before = NULL;
    one->idle_after = idle;
    if (idle) idle->idle_before = one;
    idle = one;
}

/* A line of the head, or around a chunk. True when the answer is at its end. */
static bool head_line(struct connection *one) {
    char *line = one->line;
    struct call *call = &calls[one->call];
    switch (one->stage) {
    case STATUS:
        if (strncmp(line, "HTTP/1.", 7) != 0) {
            call->wrong = "not HTTP";
        } else if (strncmp(line + 9, "200", 3) != 0) {
            char text[32];
            snprintf(text, sizeof text, "status %.3s", line + 9);
            call->wrong = strdup(text);
        }
        one->stage = HEADER;
        one->left = SIZE_MAX;
        return false;
    case HEADER:
        if (strncasecmp(line, "content-length:", 15) == 0) one->left = strtoul(line + 15, NULL, 10);
        if (strncasecmp(line, "transfer-encoding:", 18) == 0 && strcasestr(line, "chunked")) one->left = SIZE_MAX - 1;
        if (strncasecmp(line, "connection:", 11) == 0 && strcasestr(line, "close")) one->closes = true;
        if (*line) return false;
        one->stage = one->left == SIZE_MAX ? UNTIL_CLOSED : one->left == SIZE_MAX - 1 ? SIZE : LENGTH;
        one->closes |= one->stage == UNTIL_CLOSED;
        return one->left == 0;
    case SIZE:
        one->left = strtoul(line, NULL, 16);
        one->stage = one->left ? DATA : TRAILER;
        return false;
    case DATA_END:
        one->stage = SIZE;
        return false;
    default: /* TRAILER */
        return *line == 0;
    }
}

/* True when the connection is no longer this call's. */
static bool feed(struct connection *one, const char *bytes, size_t size, int64_t read_ns) {
    for (size_t at = 0; at < size;) {
        if (one->stage == DATA || one->stage == LENGTH || one->stage == UNTIL_CLOSED) {
            size_t part = size - at < one->left ? size - at : one->left;
            body(one, bytes + at, part, read_ns);
            at += part;
            if (one->stage != UNTIL_CLOSED) one->left -= part;
            if (one->left) continue;
            if (one->stage == LENGTH) return ended(one), true;
            one->stage = DATA_END;
            continue;
        }
        char letter = bytes[at++];
        if (letter != '\n') {
            if (letter != '\r' && one->line_size < LINE - 1) one->line[one->line_size++] = letter;
            continue;
        }
        one->line[one->line_size] = 0;
        one->line_size = 0;
        if (head_line(one)) return ended(one), true;
    }
    return false;
}

static void watch(struct connection *one, bool out, int how) {
    struct epoll_event wish = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = one};
    one->wants_out = out;
    epoll_ctl(epoll_fd, how, one->fd, &wish);
}

static void write_request(struct connection *one) {
    static char made[PLAIN];
    const struct call *call = &calls[one->call];
    const struct part *asked = call->tokens ? &stream_request : &plain_request;
    memcpy(made, asked->bytes, asked->size);
    if (call->tokens) {
        char digits[8];
        snprintf(digits, sizeof digits, ":%04d", call->tokens % 10000);
        memcpy(memmem(made, asked->size, ":0000", 5), digits, 5);
    }
    ssize_t sent = send(one->fd, made + one->sent, asked->size - one->sent, MSG_NOSIGNAL);
    if (sent > 0) one->sent += (size_t)sent;
    bool more = one->sent < asked->size;
    if (more != one->wants_out) watch(one, more, EPOLL_CTL_MOD);
}

static struct connection *opened(void) {
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0) return NULL;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(fd, (struct sockaddr *)&where, sizeof where) && errno != EINPROGRESS) {
        close(fd);
        return NULL;
    }
    struct connection *one = calloc(1, sizeof *one);
    one->fd = fd;
    watch(one, true, EPOLL_CTL_ADD);
    return one;
}

static void begin(int number) {
    struct call *call = &calls[number];
    struct connection *one = idle;
    if (!call->retried) call->begun_ns = now_ns();
    if (one && !call->retried) {
        unlink_idle(one);
        one->used_before = true;
    } else if ((one = opened()) == NULL) {
        end(call, "connect: refused");
        return;
    }
    one->call = number;
    one->stage = STATUS;
    one->spoke = one->closes = false;
    one->sent = one->line_size = one->body_line_size = one->plain_size = 0;
    if (one->used_before) write_request(one); /* else when the socket says that it is connected */
}

static void readable(struct connection *one) {
    static char bytes[READ];
    ssize_t size = recv(one->fd, bytes, READ, 0);
    int64_t read_ns = now_ns();
    if (size < 0 && errno == EAGAIN) return;
    if (size > 0 && one->call >= 0) {
        one->spoke = true;
        feed(one, bytes, (size_t)size, read_ns);
    } else if (size == 0 && one->call >= 0 && one->stage == UNTIL_CLOSED) {
        ended(one);
    } else {
        lost(one, one->spoke ? "closed in the middle of the answer" : "closed before the answer");
    }
}

static void read_schedule(const char *path) {
    FILE *file = fopen(path, "r");
    long long at_us;
    int tokens, room = 0;
    if (file == NULL) fail(path);
    while (fscanf(file, "%lld %d", &at_us, &tokens) == 2) {
        if (count == room) calls = realloc(calls, sizeof *calls * (size_t)(room = room ? 2 * room : 1024));
        calls[count++] = (struct call){.at_ns = at_us * 1000, .tokens = tokens};
    }
    fclose(file);
}

static void write_calls(const char *out) {
    char path[4096];
    snprintf(path, sizeof path, "%s.calls", out);
    FILE *file = fopen(path, "w");
    if (file == NULL) fail(path);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    fprintf(file, "%.4f\n", (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    for (struct call *call = calls; call < calls + count; call++) {
        double late = (double)(call->begun_ns - call->at_ns) / 1e3;
        double first = call->first_ns ? (double)(call->first_ns - call->at_ns) / 1e3 : -1;
        double whole = call->finished ? (double)(call->end_ns - call->at_ns) / 1e3 : -1;
        const char *wrong = call->finished ? call->wrong : "no end in time";
        fprintf(file, "%.1f %.1f %.1f %d %s\n", late, first, whole, call->seen, wrong ? wrong : "whole");
    }
    if (fclose(file)) fail(path);
}

static void run(double give_up_s) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event events[EVENTS], wish = {.events = EPOLLIN, .data.ptr = &timer};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &wish);
    start_ns = now_ns() + 50000000;
    for (int number = 0; number < count; number++) calls[number].at_ns += start_ns;
    int64_t until_ns = (count ? calls[count - 1].at_ns : start_ns) + (int64_t)(give_up_s * 1e9);
    int64_t set = 0;
    while (over < count && now_ns() < until_ns) {
        while (begun < count && calls[begun].at_ns <= now_ns()) begin(begun++);
        int64_t next = begun < count ? calls[begun].at_ns : until_ns;
        if (next != set) {
            struct itimerspec when = {.it_value = {next / 1000000000, next % 1000000000}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
            set = next;
        }
        int found = over < count ? epoll_wait(epoll_fd, events, EVENTS, -1) : 0;
        for (int at = 0; at < found; at++) {
            struct connection *one = events[at].data.ptr;
            if (events[at].data.ptr == &timer) continue;
            if (events[at].events & EPOLLOUT && one->call >= 0) write_request(one);
            if (events[at].events & ~(uint32_t)EPOLLOUT) readable(one);
        }
    }
}

int main(int words, char **word) {
    if (words < 6) {
        fprintf(stderr, "usage: open_client PORT PARTS SCHEDULE OUT GIVE_UP_S [fresh]\n");
        return 2;
    }
    port = atoi(word[1]);
    stream_request = load(word[2], "stream_request"), plain_request = load(word[2], "plain_request");
    plain_answer = load(word[2], "plain_answer");
    if (!memmem(stream_request.bytes, stream_request.size, ":0000", 5)) fail("stream_request");
    read_schedule(word[3]);
    fresh = words > 6;
    char path[4096];
    snprintf(path, sizeof path, "%s.tokens", word[4]);
    if ((tokens_out = fopen(path, "wb")) == NULL) fail(path);
    setvbuf(tokens_out, NULL, _IOFBF, 1 << 20);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run(atof(word[5]));
    if (fclose(tokens_out)) fail(path);
    write_calls(word[4]);
    return 0;
}
