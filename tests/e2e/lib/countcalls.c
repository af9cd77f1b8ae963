/* SPDX-License-Identifier: Apache-2.0 */
/* Test aid: preloaded into httpd, it counts calls that a request should not make (heap, locks, outbound calls, files) by
 * thread, in a file that the test reads. While it is armed it also notes which of them came from inside mod_entra_sso, with
 * the first stacks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The order is that of CALLS in callcount.mjs. */
enum { ALLOCATE, FREE, MUTEX, RWLOCK, SEMAPHORE, CONNECT, SEND, OPEN, RANDOM, SERVED, KINDS };
#define THREADS 256
#define FRAMES 64

static struct shared_t {
    _Atomic int64_t armed; /* counts up at each arming; 0: not */
    _Atomic int64_t threads;
    _Atomic int64_t inside[KINDS];
    _Atomic int64_t count[THREADS][KINDS];
} *shared;

static int stacks = -1; /* file of the stacks */
static _Atomic int stacks_left = 40;
static __thread int slot __attribute__((tls_model("initial-exec"))) = -1;
static __thread int busy __attribute__((tls_model("initial-exec")));

/* Where the module is now: httpd loads it twice. */
static _Atomic int64_t known_at;
static uintptr_t module_low, module_high;

static int find_module(struct dl_phdr_info *info, size_t size, void *baton)
{
    (void)size;
    (void)baton;
    const char *module = getenv("ENTRA_TEST_MODULE");
    if (info->dlpi_name == NULL || module == NULL || strcmp(info->dlpi_name, module) != 0) {
        return 0;
    }
    module_low = UINTPTR_MAX;
    module_high = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            uintptr_t from = info->dlpi_addr + part->p_vaddr;
            module_low = from < module_low ? from : module_low;
            module_high = from + part->p_memsz > module_high ? from + part->p_memsz : module_high;
        }
    }
    return 1;
}

static void note_inside(int kind)
{
    void *frames[FRAMES];
    int64_t armed = atomic_load(&shared->armed);
    if (atomic_load(&known_at) != armed) {
        dl_iterate_phdr(find_module, NULL);
        atomic_store(&known_at, armed);
    }
    int n = backtrace(frames, FRAMES);
    for (int i = 0; i < n; i++) {
        if ((uintptr_t)frames[i] >= module_low && (uintptr_t)frames[i] < module_high) {
            atomic_fetch_add(&shared->inside[kind], 1);
            if (stacks >= 0 && atomic_fetch_sub(&stacks_left, 1) > 0) {
                static const char *const names[] = {"allocate", "free", "mutex", "rwlock", "semaphore", "connect", "send", "open", "random", "served"};
                dprintf(stacks, "---- %s\n", names[kind]);
                backtrace_symbols_fd(frames, n, stacks);
            }
            return;
        }
    }
}

static void count(int kind)
{
    if (shared == NULL || busy) {
        return;
    }
    busy = 1;
    if (slot < 0) {
        int64_t next = atomic_fetch_add(&shared->threads, 1);
        slot = next < THREADS ? (int)next : THREADS - 1;
    }
    atomic_fetch_add_explicit(&shared->count[slot][kind], 1, memory_order_relaxed);
    /* A watchdog's own work is not a request's. */
    if (kind != SERVED && atomic_load_explicit(&shared->armed, memory_order_relaxed) != 0 && atomic_load(&shared->count[slot][SERVED]) > 0) {
        note_inside(kind);
    }
    busy = 0;
}

__attribute__((constructor)) static void map_counters(void)
{
    void *frames[4];
    const char *file = getenv("ENTRA_TEST_COUNTS");
    const char *log = getenv("ENTRA_TEST_STACKS");
    int fd = file == NULL ? -1 : open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    void *map = mmap(NULL, sizeof(struct shared_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    stacks = log == NULL ? -1 : open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
    /* The first call loads the unwinder. */
    (void)backtrace(frames, 4);
    shared = map == MAP_FAILED ? NULL : map;
}

/* ---- heap ---- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

void *malloc(size_t size)
{
    count(ALLOCATE);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(ALLOCATE);
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    count(ALLOCATE);
    return __libc_realloc(old, size);
}

void *memalign(size_t align, size_t size)
{
    count(ALLOCATE);
    return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    count(ALLOCATE);
    return __libc_memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
    count(ALLOCATE);
    *ret = __libc_memalign(align, size);
    return *ret == NULL ? 12 : 0;
}

void free(void *old)
{
    if (old != NULL) {
        count(FREE);
    }
    __libc_free(old);
}

/* ---- the rest: count, then the next definition ---- */

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (next == NULL) { \
        next = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name); \
    }

#define WRAP(kind, type, name, parameters, arguments) \
    type name parameters \
    { \
        NEXT(name) \
        count(kind); \
        return next arguments; \
    }

WRAP(MUTEX, int, pthread_mutex_lock, (pthread_mutex_t *m), (m))
WRAP(MUTEX, int, pthread_mutex_trylock, (pthread_mutex_t *m), (m))
WRAP(MUTEX, int, pthread_spin_lock, (pthread_spinlock_t *m), (m))
WRAP(RWLOCK, int, pthread_rwlock_rdlock, (pthread_rwlock_t *m), (m))
WRAP(RWLOCK, int, pthread_rwlock_wrlock, (pthread_rwlock_t *m), (m))
WRAP(RWLOCK, int, pthread_rwlock_tryrdlock, (pthread_rwlock_t *m), (m))
WRAP(RWLOCK, int, pthread_rwlock_trywrlock, (pthread_rwlock_t *m), (m))
WRAP(SEMAPHORE, int, sem_wait, (sem_t *s), (s))
WRAP(SEMAPHORE, int, sem_trywait, (sem_t *s), (s))
WRAP(SEMAPHORE, int, sem_post, (sem_t *s), (s))
WRAP(CONNECT, int, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len))
WRAP(CONNECT, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(SEND, ssize_t, sendto, (int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t size), (fd, data, len, flags, to, size))
WRAP(SEND, ssize_t, send, (int fd, const void *data, size_t len, int flags), (fd, data, len, flags))
WRAP(SEND, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(RANDOM, ssize_t, getrandom, (void *data, size_t len, unsigned flags), (data, len, flags))
WRAP(SERVED, ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n))

int open(const char *path, int flags, ...)
{
    NEXT(open)
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    count(OPEN);
    return next(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    NEXT(open64)
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    count(OPEN);
    return next(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    NEXT(openat)
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    count(OPEN);
    return next(folder, path, flags, mode);
}
