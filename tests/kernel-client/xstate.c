/*
 * Loaded into User Mode Linux (LD_PRELOAD): it runs on processors with more registers than it knows.
 *
 * It keeps the extended registers of its processes in areas whose size was fixed when it was compiled.
 * The host's kernel gives the beginning of a longer state to who asks for less, but takes back whole
 * states only: with AMX, whose tiles make it 11 KB, the first process in the guest could not start.
 * What is missing is filled up with what the process has there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Not on the stack, which is that of a kernel; there is one thread that gets here. */
static char state[1 << 16];

long ptrace(enum __ptrace_request request, ...)
{
    static long (*next)(enum __ptrace_request, pid_t, void *, void *);
    va_list arguments;
    struct iovec whole = {state, sizeof state};
    struct iovec *part;
    pid_t pid;
    void *addr, *data;

    va_start(arguments, request);
    pid = va_arg(arguments, pid_t);
    addr = va_arg(arguments, void *);
    data = va_arg(arguments, void *);
    va_end(arguments);
    if (!next)
        next = (long (*)(enum __ptrace_request, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
    part = data;
    if (request != PTRACE_SETREGSET || addr != (void *)NT_X86_XSTATE ||
        next(PTRACE_GETREGSET, pid, addr, &whole) < 0 || whole.iov_len <= part->iov_len)
        return next(request, pid, addr, data);
    memcpy(state, part->iov_base, part->iov_len);
    return next(request, pid, addr, &whole);
}
