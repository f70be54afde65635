/* The limit: the least that a program can do to forward datagrams, which is what the kernel and this machine take.
 * `bare_forwarder CALLS FIRST_PORT FIRST_PHONE`, all on 127.0.0.1. No learning, no RTCP, no checks, no recording; one
 * socket for each side, as every relay has. What comes from a call's first phone goes to its second one.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_SIDES = 4096, EVENTS = 64 };

static int sides[MAX_SIDES];
static struct sockaddr_in phones[MAX_SIDES];

int main(int count, char **words)
{
    int number = count > 3 ? 2 * atoi(words[1]) : 0, waiting = epoll_create1(0);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (number < 1 || number > MAX_SIDES)
        return 1;
    for (int side = 0; side < number; side++) {
        struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)side};
        phones[side] = local;
        phones[side].sin_port = htons((uint16_t)(atoi(words[3]) + side));
        local.sin_port = htons((uint16_t)(atoi(words[2]) + side));
        sides[side] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (sides[side] < 0 || bind(sides[side], (struct sockaddr *)&local, sizeof local) < 0) {
            perror("bind");
            return 1;
        }
        epoll_ctl(waiting, EPOLL_CTL_ADD, sides[side], &event);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(waiting, events, EVENTS, -1);
        for (int index = 0; index < ready; index++) {
            char packet[2048];
            unsigned side = events[index].data.u32, other = side ^ 1;
            ssize_t length;
            while ((length = recv(sides[side], packet, sizeof packet, 0)) >= 0)
                sendto(sides[other], packet, (size_t)length, 0, (struct sockaddr *)&phones[other], sizeof phones[other]);
        }
    }
}
