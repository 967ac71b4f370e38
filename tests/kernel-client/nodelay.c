/*
 * Loaded into slirp (LD_PRELOAD): its TCP sockets send at once.
 *
 * Slirp passes on each packet of the guest with a write of its own. With Nagle's algorithm, the last
 * packet of every request larger than one waits for an acknowledgement which the server's kernel
 * delays by 40 ms.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int socket(int domain, int type, int protocol)
{
    int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    int on = 1;
    int fd = next(domain, type, protocol);

    if (fd >= 0 && domain == AF_INET && (type & 15) == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}
