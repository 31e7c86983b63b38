/* The open loop's engine: every token carries the moment it was due, so that whoever reads it knows how late it is.
 *
 *   open_stub PARTS FIRST_US INTERVAL_US [PORT]     prints "listening PORT"
 *
 * PARTS is a folder in which bench/open_parts.py has put what is answered, so that its words stand in one place (bench/dialogue.py).
 * A stream's first token is due FIRST_US after its request has been read, each other INTERVAL_US after the one before. As those two
 * waits are the same for all, who is due next stands at the head of one of two queues, and a timer is set to it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "open_common.h"

enum { IN_BYTES = 16384, EVENTS = 256, DIGITS = 19 };

struct connection {
    int fd; /* -1: it was lost while a token of it is queued */
    bool queued, usage, wants_out;
    unsigned asked, left; /* how many tokens, and how many are still to come */
    int64_t due_ns;
    struct connection *next;
    char *out; /* what the reader was too slow for */
    size_t out_size;
    size_t have;
    char in[IN_BYTES];
};

struct queue {
    struct connection *head, *tail;
    int64_t wait_ns;
};

static struct part plain, models, about, refusal, head, token, closing, closing_usage;
static char *stamp, *count_place, *total_place; /* the digits within `token`, and within `closing_usage` */
static int prompt_tokens;
static struct queue first, later;
static int epoll_fd;

static char *after(const struct part *part, const char *words) {
    char *found = memmem(part->bytes, part->size, words, strlen(words));
    if (found == NULL) fail(words);
    return found + strlen(words);
}

static void watch(struct connection *one, bool out) {
    if (one->wants_out == out) return;
    struct epoll_event wish = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = one};
    one->wants_out = out;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, one->fd, &wish);
}

static void lost(struct connection *one) {
    close(one->fd);
    free(one->out);
    one->out = NULL;
    one->fd = -1;
    if (!one->queued) free(one);
}

/* Everything is sent or kept. An error shows at the next read. */
static void put(struct connection *one, const char *bytes, size_t size) {
    ssize_t sent = 0;
    if (one->out_size == 0) {
        sent = send(one->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) return;
            sent = 0;
        }
        if ((size_t)sent == size) return;
    }
    one->out = realloc(one->out, one->out_size + size - (size_t)sent);
    memcpy(one->out + one->out_size, bytes + sent, size - (size_t)sent);
    one->out_size += size - (size_t)sent;
    watch(one, true);
}

static void put_rest(struct connection *one) {
    ssize_t sent = send(one->fd, one->out, one->out_size, MSG_NOSIGNAL);
    if (sent <= 0) return;
    one->out_size -= (size_t)sent;
    memmove(one->out, one->out + sent, one->out_size);
    if (one->out_size == 0) watch(one, false);
}

static void enqueue(struct queue *queue, struct connection *one, int64_t from_ns) {
    one->due_ns = from_ns + queue->wait_ns;
    one->queued = true;
    one->next = NULL;
    if (queue->head == NULL)
        queue->head = one;
    else
        queue->tail->next = one;
    queue->tail = one;
}

/* Four places; blanks before a number are nothing to JSON. */
static void fill(char *place, unsigned number) {
    char digits[16];
    snprintf(digits, sizeof digits, "%4u", number % 10000);
    memcpy(place, digits, 4);
}

static void send_token(struct connection *one) {
    static char whole[131072];
    int64_t due = one->due_ns;
    for (int place = DIGITS - 1; place >= 0; place--, due /= 10) stamp[place] = (char)('0' + due % 10);
    if (--one->left) {
        put(one, token.bytes, token.size);
        enqueue(&later, one, one->due_ns);
        return;
    }
    const struct part *end = one->usage ? &closing_usage : &closing;
    fill(count_place, one->asked);
    fill(total_place, one->asked + (unsigned)prompt_tokens);
    memcpy(whole, token.bytes, token.size);
    memcpy(whole + token.size, end->bytes, end->size);
    put(one, whole, token.size + end->size);
}

/* Sends what is due; the moment at which the next one is, 0 if there is none. */
static int64_t turn(void) {
    for (;;) {
        struct queue *queue = first.head == NULL ? &later : &first;
        if (first.head && later.head && later.head->due_ns < first.head->due_ns) queue = &later;
        struct connection *one = queue->head;
        if (one == NULL) return 0;
        if (one->due_ns > now_ns()) return one->due_ns;
        queue->head = one->next;
        one->queued = false;
        if (one->fd < 0)
            free(one);
        else
            send_token(one);
    }
}

static void answer(struct connection *one, const char *body) {
    if (strncmp(one->in, "POST", 4) != 0) {
        const char *line_end = strchr(one->in, '\r');
        const char *found = strstr(one->in, "/models");
        const struct part *part = found && found < line_end ? &models : &about;
        put(one, part->bytes, part->size);
        return;
    }
    const char *asked = strstr(body, "stub:");
    unsigned tokens = 0;
    if (asked == NULL || sscanf(asked, "stub:%*u:%u", &tokens) != 1 || tokens == 0 || one->queued) {
        put(one, refusal.bytes, refusal.size);
    } else if (!strstr(body, "\"stream\":true") && !strstr(body, "\"stream\": true")) {
        put(one, plain.bytes, plain.size);
    } else {
        one->usage = strstr(body, "include_usage") != NULL;
        one->asked = one->left = tokens;
        put(one, head.bytes, head.size);
        enqueue(&first, one, now_ns());
    }
}

/* Answers every whole request that has been read. False when it can't be one. */
static bool take(struct connection *one) {
    for (;;) {
        one->in[one->have] = 0;
        char *body = strstr(one->in, "\r\n\r\n");
        if (body == NULL) return one->have < IN_BYTES - 1;
        body += 4;
        const char *field = strcasestr(one->in, "\r\ncontent-length:");
        size_t length = field && field < body ? strtoul(field + 17, NULL, 10) : 0;
        size_t whole = (size_t)(body - one->in) + length;
        if (length >= IN_BYTES || whole >= IN_BYTES) return false;
        if (one->have < whole) return true;
        char after = one->in[whole];
        one->in[whole] = 0;
        answer(one, body);
        one->in[whole] = after;
        one->have -= whole;
        memmove(one->in, one->in + whole, one->have);
        if (one->have == 0) return true;
    }
}

static void readable(struct connection *one) {
    ssize_t size = recv(one->fd, one->in + one->have, IN_BYTES - 1 - one->have, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size > 0) {
        one->have += (size_t)size;
        if (take(one)) return;
    }
    lost(one);
}

static void accept_all(int listening) {
    int fd, yes = 1;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *one = malloc(sizeof *one);
        memset(one, 0, offsetof(struct connection, in));
        one->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event wish = {.events = EPOLLIN, .data.ptr = one};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &wish);
    }
}

static int listen_on(int port) {
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&where, size) || listen(fd, 4096)) fail("listen");
    getsockname(fd, (struct sockaddr *)&where, &size);
    printf("listening %d\n", ntohs(where.sin_port));
    fflush(stdout);
    return fd;
}

int main(int count, char **words) {
    if (count < 4) {
        fprintf(stderr, "usage: open_stub PARTS FIRST_US INTERVAL_US [PORT]\n");
        return 2;
    }
    plain = load(words[1], "plain"), models = load(words[1], "models"), about = load(words[1], "about");
    refusal = load(words[1], "refusal"), head = load(words[1], "head"), token = load(words[1], "token");
    closing = load(words[1], "closing"), closing_usage = load(words[1], "closing_usage");
    stamp = after(&token, "due:");
    count_place = after(&closing_usage, "\"completion_tokens\":");
    total_place = after(&closing_usage, "\"total_tokens\":");
    prompt_tokens = atoi(total_place) - atoi(count_place);
    first.wait_ns = atoll(words[2]) * 1000, later.wait_ns = atoll(words[3]) * 1000;
    int listening = listen_on(count > 4 ? atoi(words[4]) : 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS];
    struct epoll_event wish = {.events = EPOLLIN, .data.ptr = &listening};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listening, &wish);
    wish.data.ptr = &timer;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer, &wish);
    int64_t set = 0;
    for (;;) {
        int found = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int at = 0; at < found; at++) {
            void *who = events[at].data.ptr;
            if (who == &listening) {
                accept_all(listening);
            } else if (who != &timer) {
                struct connection *one = who;
                if (events[at].events & EPOLLOUT && one->out_size) put_rest(one);
                if (events[at].events & ~(uint32_t)EPOLLOUT) readable(one);
            }
        }
        int64_t due = turn();
        if (due == set) continue;
        set = due;
        struct itimerspec when = {.it_value = {due / 1000000000, due % 1000000000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    }
}
