/* Drives RTP streams through a relay and counts what comes out: the twin of rtp_load.py for loads that Python cannot
 * make. `rtp_load SECONDS WARM_UP < pairs`, each line "LOCAL_PORT DESTINATION_PORT" on 127.0.0.1.
 *
 * Each stream sends 50 packets of G.711 a second, spread evenly. The streams begin one after the other in the first half
 * of the warm-up; when it is over it prints a line "counting", and at the end a JSON object about the packets that were
 * sent since. A packet carries when it was sent; when it came is said by the kernel, so that a generator which is late
 * itself does not count as delay of the relay. Where there are two processors it never sleeps, so that no relay pays for
 * waking it: real phones are on other machines.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STREAMS = 4096, PACKET = 172, HEADER = 12, EVENTS = 256, STEP_US = 10, STEPS = 100000 };

static const double INTERVAL = 0.02, SILENT = 1.0;

static int sockets[MAX_STREAMS];
static long delays[STEPS + 1]; /* how many packets took so many steps; the last: or more */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time); /* as the kernel stamps packets */
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double quantile(double share, long all)
{
    long passed = 0;
    for (int step = 0; step <= STEPS; step++)
        if ((passed += delays[step]) > (long)(share * (double)all))
            return (step + 0.5) * STEP_US / 1000;
    return 0.0;
}

static int open_stream(int local, int destination)
{
    int stream = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 1 << 18, on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(stream, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(stream, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    address.sin_port = htons((uint16_t)local);
    if (stream < 0 || bind(stream, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("bind");
        exit(1);
    }
    address.sin_port = htons((uint16_t)destination);
    if (connect(stream, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        exit(1);
    }
    return stream;
}

static void send_packet(int stream, int number, long frame)
{
    unsigned char packet[PACKET];
    uint16_t sequence = htons((uint16_t)frame);
    uint32_t timestamp = htonl((uint32_t)(frame * 160)), ssrc = htonl(0x1000u + (unsigned)number);
    double sent_at;
    memset(packet, 0x55, sizeof packet);
    packet[0] = 0x80;
    packet[1] = 8;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    sent_at = now();
    memcpy(packet + HEADER, &sent_at, sizeof sent_at);
    if (send(stream, packet, sizeof packet, 0) < 0)
        perror("send");
}

/* Take one packet that came to a stream; return whether it was sent since `counting`. */
static int take(int stream, double counting)
{
    unsigned char packet[2048], control[64];
    struct iovec part = {packet, sizeof packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(stream, &message, 0);
    struct cmsghdr *part_of = length < 0 ? NULL : CMSG_FIRSTHDR(&message);
    double sent_at;
    struct timespec came;
    long step;
    if (length < HEADER + (ssize_t)sizeof sent_at || part_of == NULL || part_of->cmsg_type != SCM_TIMESTAMPNS)
        return 0;
    memcpy(&sent_at, packet + HEADER, sizeof sent_at);
    if (sent_at < counting)
        return 0;
    memcpy(&came, CMSG_DATA(part_of), sizeof came);
    step = (long)(((double)came.tv_sec + (double)came.tv_nsec * 1e-9 - sent_at) * 1e6 / STEP_US);
    delays[step < 0 ? 0 : step > STEPS ? STEPS : step]++;
    return 1;
}

int main(int count, char **words)
{
    double seconds = count > 1 ? atof(words[1]) : 0, warm_up = count > 2 ? atof(words[2]) : 0, started, last_heard;
    double counting = HUGE_VAL;
    int streams = 0, local, destination, waiting = epoll_create1(0);
    int patience_ms = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 0 : 1;
    long begun = 0, sent = 0, received = 0, warm_frames = lround(warm_up / INTERVAL), total;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    while (streams < MAX_STREAMS && scanf("%d %d", &local, &destination) == 2) {
        struct epoll_event event = {.events = EPOLLIN};
        event.data.fd = sockets[streams] = open_stream(local, destination);
        epoll_ctl(waiting, EPOLL_CTL_ADD, sockets[streams++], &event);
    }
    if (streams == 0)
        return 1;
    total = (warm_frames + lround(seconds / INTERVAL)) * streams;
    started = last_heard = now();
    while (begun < total || (received < sent && now() - last_heard < SILENT)) {
        long due = (long)((now() - started) / INTERVAL * streams), taken = 0;
        struct epoll_event events[EVENTS];
        int ready;
        for (due = due < total ? due : total; begun < due; begun++) {
            long frame = begun / streams, stream = begun % streams;
            if (begun == warm_frames * streams) {
                puts("counting");
                fflush(stdout);
                counting = now();
            }
            if (2 * frame * streams < warm_frames * stream)
                continue; /* its turn to begin has not come */
            send_packet(sockets[stream], (int)stream, frame);
            sent += frame >= warm_frames;
        }
        ready = epoll_wait(waiting, events, EVENTS, patience_ms);
        for (int index = 0; index < ready; index++)
            taken += take(events[index].data.fd, counting);
        received += taken;
        if (taken > 0)
            last_heard = now();
    }
    printf("{\"sent\": %ld, \"received\": %ld, \"seconds\": %g, \"delay_p50_ms\": %.3f, \"delay_p99_ms\": %.3f}\n", sent,
           received, seconds, quantile(0.5, received), quantile(0.99, received));
    return 0;
}
