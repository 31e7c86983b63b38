/* What the open loop's client and engine share. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PART_BYTES = 65536 };

struct part {
    char *bytes;
    size_t size;
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct part load(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail(path);
    struct part made = {malloc(PART_BYTES), 0};
    made.size = fread(made.bytes, 1, PART_BYTES, file);
    fclose(file);
    return made;
}
