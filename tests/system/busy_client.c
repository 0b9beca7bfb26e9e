/* A JACK client that does nothing but compute, as long in each period as it is told: what the machine alone makes late.

   cc -O2 busy_client.c -l:libjack.so.0 -o busy_client && ./busy_client MICROSECONDS

   It computes a fixed amount, measured when it begins, not until a time has passed: what is taken from it in between
   makes it late, as it would any program. */

#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* As in jack/jack.h, whose package is not needed for it. */
typedef struct _jack_client jack_client_t;
extern jack_client_t *jack_client_open(const char *name, int options, int *status, ...);
extern int jack_set_process_callback(jack_client_t *client, int (*process)(uint32_t frames, void *argument), void *argument);
extern int jack_activate(jack_client_t *client);
enum { JACK_NO_START_SERVER = 1 };

static const int SOUND = 5; /* as engine/urgent.py */
static long rounds;

static double compute(long count)
{
    volatile double value = 1.0;
    while (count--)
        value = value * 1.0000001 + 1e-9;
    return value;
}

static double now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1e6 + at.tv_nsec * 1e-3;
}

static int process(uint32_t frames, void *urgent)
{
    (void)frames;
    if (!*(int *)urgent) { /* with -r the server's clients are ordinary threads; ours makes itself urgent as well */
        struct sched_param parameter = {.sched_priority = SOUND};
        *(int *)urgent = 1;
        if (sched_setscheduler(0, SCHED_RR, &parameter) != 0)
            perror("not urgent");
    }
    compute(rounds);
    return 0;
}

int main(int argc, char **argv)
{
    const long probe = 100000;
    double least_us = 1e9;
    int urgent = 0;
    jack_client_t *client;

    if (argc != 2) {
        fprintf(stderr, "usage: busy_client MICROSECONDS\n");
        return 2;
    }
    for (int turn = 0; turn < 50; turn++) {
        const double begun_us = now_us();
        compute(probe);
        const double took_us = now_us() - begun_us;
        least_us = took_us < least_us ? took_us : least_us;
    }
    rounds = (long)(atof(argv[1]) / least_us * probe);
    client = jack_client_open("busy", JACK_NO_START_SERVER, NULL);
    if (client == NULL || jack_set_process_callback(client, process, &urgent) != 0 || jack_activate(client) != 0) {
        fprintf(stderr, "no JACK server\n");
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}
