/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every target on every file of its corpus and on mutations of it that are the same in each run: what fuzzing has
 * found stays found, and no special compiler is needed.
 *
 * usage: replay [SUBJECT [FILE...]]      files are replayed as they are; without them the corpus is, with its mutations
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_SEED (256 * 1024)
/* Larger seeds are replayed, but not changed: that is what libFuzzer is for. */
#define MAX_MUTATED 8192
#define MUTATIONS 150
#define SLOW_MUTATIONS 5

typedef int entry_fn(const uint8_t *data, size_t len);
#define TARGET(subject) entry_fn target_##subject;
#include "targets.def"
#undef TARGET

static const struct {
    const char *subject;
    entry_fn *entry;
} targets[] = {
#define TARGET(subject) {#subject, target_##subject},
#include "targets.def"
#undef TARGET
};

/* What is running, for the crash. */
static char running[4096];
static const uint8_t *input;
static size_t input_len;

/* Leaves the input of a crash in the current folder, for a look, a debugger and the corpus. */
static void name_it(int signal_number)
{
    int file = open("replay-crash", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file >= 0 && write(file, input, input_len) == (ssize_t)input_len) {
        (void)!write(STDERR_FILENO, "the input is in replay-crash, ", 30);
    }
    (void)!write(STDERR_FILENO, running, strlen(running));
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % below;
}

/* One to four changes in place; gives the new length, at most twice the old one and 16. */
static size_t mutate(uint8_t *data, size_t len)
{
    static const char interesting[] = "\0\"%&'()*+,-./:;<=>?@[\\]{}\n\r\t ~\x7f\x80\xc0\xff";
    for (uint32_t changes = 1 + draw(4); changes > 0; changes--) {
        size_t at = len > 0 ? draw((uint32_t)len) : 0;
        switch (draw(5)) {
        case 0:
            if (len > 0) {
                data[at] ^= (uint8_t)(1u << draw(8));
            }
            break;
        case 1:
            if (len > 0) {
                data[at] = (uint8_t)interesting[draw(sizeof(interesting))];
            }
            break;
        case 2:
            memmove(data + at + 1, data + at, len - at);
            data[at] = (uint8_t)interesting[draw(sizeof(interesting))];
            len++;
            break;
        case 3: {
            size_t gone = len > at ? 1 + draw((uint32_t)(len - at < 16 ? len - at : 16)) : 0;
            memmove(data + at, data + at + gone, len - at - gone);
            len -= gone;
            break;
        }
        default: {
            /* A piece once more, in front of itself. */
            size_t piece = len > at ? 1 + draw((uint32_t)(len - at < 4 ? len - at : 4)) : 0;
            memmove(data + at + piece, data + at, len - at);
            len += piece;
        }
        }
    }
    return len;
}

/* A copy of exactly len bytes, so that a sanitizer sees its end. */
static void run_exact(entry_fn *entry, const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, data, len);
    input = exact;
    input_len = len;
    entry(exact, len);
    free(exact);
}

static bool replay_file(entry_fn *entry, const char *path, int mutations)
{
    static uint8_t seed[MAX_SEED];
    static uint8_t changed[2 * MAX_MUTATED + 64];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        return false;
    }
    size_t len = fread(seed, 1, sizeof(seed), file);
    fclose(file);
    snprintf(running, sizeof(running), "while replaying %s\n", path);
    run_exact(entry, seed, len);
    random_state = 0x9e3779b97f4a7c15u ^ len;
    for (int i = 0; i < mutations && len <= MAX_MUTATED; i++) {
        snprintf(running, sizeof(running), "while replaying mutation %d of %s\n", i + 1, path);
        memcpy(changed, seed, len);
        size_t changed_len = mutate(changed, len);
        run_exact(entry, changed, changed_len);
    }
    return true;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A corpus without a file proves nothing. */
static bool replay_corpus(const char *subject, entry_fn *entry, int mutations)
{
    char folder[2048];
    char path[4096];
    struct dirent **names;
    const char *source = getenv("SRCDIR");
    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s", source != NULL ? source : ".", subject);
    int count = scandir(folder, &names, is_file, alphasort);
    bool good = count > 0;
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        good = replay_file(entry, path, mutations) && good;
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
    if (!good) {
        fprintf(stderr, "no corpus in %s\n", folder);
    }
    return good;
}

int main(int argc, char **argv)
{
    int passed = 0;
    int failed = 0;
    int mutations = getenv("UNDER_VALGRIND") != NULL ? SLOW_MUTATIONS : MUTATIONS;
    signal(SIGABRT, name_it);
    signal(SIGSEGV, name_it);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (argc > 1 && strcmp(argv[1], targets[i].subject) != 0) {
            continue;
        }
        bool good = true;
        printf("[ RUN      ] %s\n", targets[i].subject);
        fflush(stdout);
        for (int file = 2; file < argc; file++) {
            good = replay_file(targets[i].entry, argv[file], 0) && good;
        }
        if (argc <= 2) {
            good = replay_corpus(targets[i].subject, targets[i].entry, mutations);
        }
        passed += good ? 1 : 0;
        failed += good ? 0 : 1;
    }
    printf("[  PASSED  ] %d test(s).\n", passed);
    if (failed > 0 || passed == 0) {
        printf("[  FAILED  ] %d test(s).\n", failed > 0 ? failed : 1);
        return 1;
    }
    return 0;
}
