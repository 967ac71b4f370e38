/*
 * Loaded into slirp (LD_PRELOAD): its TCP sockets send at once, and what connects to the guest from the
 * host comes from an address that the guest can answer.
 *
 * Slirp passes on each packet of the guest with a write of its own. With Nagle's algorithm, the last
 * packet of every request larger than one waits for an acknowledgement which the server's kernel
 * delays by 40 ms.
 *
 * Slirp shows the guest who connects to one of its ports. The host does from 127.0.0.1, which no packet
 * of a network may come from: it becomes the address under which the guest knows the host.
 *
 * Slirp takes one network for its own. The host also has an address of another, as it has under QEMU.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
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

int accept(int listener, struct sockaddr *address, socklen_t *length)
{
    int (*next)(int, struct sockaddr *, socklen_t *) =
        (int (*)(int, struct sockaddr *, socklen_t *))dlsym(RTLD_NEXT, "accept");
    int fd = next(listener, address, length);
    struct sockaddr_in *peer = (struct sockaddr_in *)address;

    if (fd >= 0 && peer && peer->sin_family == AF_INET && peer->sin_addr.s_addr == htonl(INADDR_LOOPBACK))
        peer->sin_addr.s_addr = inet_addr("10.0.2.2");
    return fd;
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t) =
        (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
    struct sockaddr_in there;

    if (length < sizeof there || address->sa_family != AF_INET)
        return next(fd, address, length);
    memcpy(&there, address, sizeof there);
    if (there.sin_addr.s_addr == inet_addr("10.0.3.2"))
        there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return next(fd, (struct sockaddr *)&there, sizeof there);
}
