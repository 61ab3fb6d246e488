/* core-echo: the C core as a server, without Swift: an echo, or a broadcast to all clients, to measure it by itself.
 * Its options are those of echo-server. */
#include <getopt.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CApus.h"
#include "apus/bytes.h"

#define MOST_THREADS 64
#define STOP_DEADLINE 5000
#define MOST_FRAGMENTS (1 << 17) /* the Autobahn|Testsuite sends 65,536 of 64 bytes (case 9.3.1) */

typedef struct options {
    const char *host;
    long port;
    long threads;
    long long max_message;
    apus_compression_mode compression;
    int compression_level;
    bool is_broadcast;
    const char *certificate; /* PEM files; NULL: no TLS */
    const char *key;
} options;

static apus_topic *everybody; /* NULL: echo */

static void on_request(apus_connection *connection, const apus_head *head, bool is_upgrade)
{
    (void)head;
    static const char hint[] = "this server speaks WebSocket\n";
    if (!is_upgrade) {
        apus_connection_respond(connection, 426, NULL, 0, (const uint8_t *)hint, sizeof hint - 1);
        return;
    }
    if (apus_connection_accept(connection, (apus_text){.data = "", .len = 0}, NULL, 0) != APUS_OK) {
        apus_connection_abort(connection);
        return;
    }
    if (everybody != NULL && apus_topic_subscribe(everybody, connection) != APUS_OK)
        apus_connection_abort(connection);
    apus_connection_demand(connection, APUS_DEMAND_ALL);
}

static void on_echo(apus_connection *connection, const apus_incoming *message)
{
    int error = apus_connection_send(connection, message->opcode, message->data, message->len);
    if (error == APUS_EFULL) /* an echo that is lost is no echo */
        apus_connection_abort(connection);
}

static void on_broadcast(apus_connection *connection, const apus_incoming *message)
{
    if (apus_topic_publish(everybody, message->opcode, message->data, message->len, 0) != APUS_OK)
        apus_connection_abort(connection);
}

static void on_drain(apus_connection *connection)
{
    (void)connection;
}

static void on_pong(apus_connection *connection, const uint8_t *data, size_t len)
{
    (void)connection;
    (void)data;
    (void)len;
}

static void on_end(apus_connection *connection, const apus_ending *ending)
{
    (void)connection;
    (void)ending;
}

static void on_free(apus_connection *connection)
{
    (void)connection;
}

static _Noreturn void fail(const char *words, const char *detail)
{
    fprintf(stderr, "core-echo: %s%s\n", words, detail);
    exit(EXIT_FAILURE);
}

static _Noreturn void explain(int status)
{
    fputs("usage: core-echo --port P [--host H] [--threads N] [--mode echo|broadcast] [--max-message BYTES]\n"
          "                 [--compression off|shared|dedicated]\n"
          "                 [--compression-level 1...9]   (1: ISA-L's, from 2 on zlib's)\n"
          "                 [--tls-certificate FILE --tls-key FILE]   (PEM; speaks TLS)\n"
          "                 [--borrowed]   (messages are always borrowed here)\n",
          status == EXIT_SUCCESS ? stdout : stderr);
    exit(status);
}

static long long parse_number(const char *text, const char *option, long long least, long long most)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "core-echo: --%s takes a number from %lld to %lld, not '%s'\n", option, least, most, text);
        exit(EXIT_FAILURE);
    }
    return value;
}

static apus_compression_mode parse_compression(const char *text)
{
    static const char *const modes[] = {
        [APUS_COMPRESSION_OFF] = "off",
        [APUS_COMPRESSION_SHARED] = "shared",
        [APUS_COMPRESSION_DEDICATED] = "dedicated",
    };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(text, modes[i]) == 0)
            return (apus_compression_mode)i;
    }
    fail("--compression takes off, shared or dedicated, not ", text);
}

static options parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"host", required_argument, NULL, 'h'},
        {"threads", required_argument, NULL, 't'},
        {"mode", required_argument, NULL, 'm'},
        {"max-message", required_argument, NULL, 'x'},
        {"compression", required_argument, NULL, 'z'},
        {"compression-level", required_argument, NULL, 'l'},
        {"tls-certificate", required_argument, NULL, 'c'},
        {"tls-key", required_argument, NULL, 'k'},
        {"borrowed", no_argument, NULL, 'b'},
        {"help", no_argument, NULL, '?'},
        {NULL, 0, NULL, 0},
    };
    options parsed = {.host = "127.0.0.1", .port = -1, .threads = 1, .max_message = 64 << 20, .compression_level = 1};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 'p':
            parsed.port = (long)parse_number(optarg, "port", 0, 65535);
            break;
        case 'h':
            parsed.host = optarg;
            break;
        case 't':
            parsed.threads = (long)parse_number(optarg, "threads", 1, MOST_THREADS);
            break;
        case 'm':
            if (strcmp(optarg, "echo") != 0 && strcmp(optarg, "broadcast") != 0)
                fail("--mode takes echo or broadcast, not ", optarg);
            parsed.is_broadcast = strcmp(optarg, "broadcast") == 0;
            break;
        case 'x':
            parsed.max_message = parse_number(optarg, "max-message", 1, 1LL << 40);
            break;
        case 'z':
            parsed.compression = parse_compression(optarg);
            break;
        case 'l':
            parsed.compression_level = (int)parse_number(optarg, "compression-level", 1, 9);
            break;
        case 'c':
            parsed.certificate = optarg;
            break;
        case 'k':
            parsed.key = optarg;
            break;
        case 'b':
            break;
        default:
            explain(optopt == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
    }
    if (parsed.port < 0 || optind != argc)
        explain(EXIT_FAILURE);
    if ((parsed.certificate == NULL) != (parsed.key == NULL))
        fail("--tls-certificate and --tls-key go together", "");
    return parsed;
}

static apus_bytes read_file(const char *path)
{
    apus_bytes contents = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("cannot read ", path);
    char chunk[4096];
    for (size_t count; (count = fread(chunk, 1, sizeof chunk, file)) != 0;) {
        if (apus_bytes_append(&contents, chunk, count) != APUS_OK)
            fail("out of memory", "");
    }
    if (ferror(file))
        fail("cannot read ", path);
    fclose(file);
    return contents;
}

static apus_text text_of(const apus_bytes *bytes)
{
    return (apus_text){.data = bytes->data == NULL ? "" : (const char *)bytes->data, .len = bytes->len};
}

static apus_tls_context *make_tls(const options *options)
{
    if (options->certificate == NULL)
        return NULL;
    apus_bytes chain = read_file(options->certificate);
    apus_bytes key = read_file(options->key);
    apus_tls_certificate certificate = {.chain = text_of(&chain), .key = text_of(&key)};
    apus_tls_config config;
    apus_tls_config_init(&config, APUS_ROLE_SERVER);
    config.certificates = &certificate;
    config.certificate_count = 1;
    char words[APUS_TLS_WORDS_SIZE];
    apus_tls_context *context;
    int error = apus_tls_context_new(&context, &config, words);
    if (error != APUS_OK)
        fail(apus_error_message(error), "");
    apus_bytes_deinit(&chain);
    apus_bytes_deinit(&key);
    return context;
}

static apus_listener_config make_config(const options *options)
{
    apus_listener_config config;
    apus_listener_config_init(&config);
    apus_endpoint_config *endpoint = &config.endpoint;
    endpoint->session.limits.size = (uint64_t)options->max_message;
    endpoint->session.limits.fragments = MOST_FRAGMENTS;
    endpoint->compression.mode = options->compression;
    endpoint->compression.level = options->compression_level;
    if (options->compression == APUS_COMPRESSION_DEDICATED) /* as the Swift API has it */
        endpoint->compression.threshold = 32;
    /* An echo never gets ahead of its peer by more than what the peer sent without reading. */
    endpoint->outbound_limit = (size_t)options->max_message * 4;
    endpoint->tls = make_tls(options);
    endpoint->callbacks = (apus_connection_callbacks){
        .on_request = on_request,
        .on_message = options->is_broadcast ? on_broadcast : on_echo,
        .on_drain = on_drain,
        .on_pong = on_pong,
        .on_end = on_end,
        .on_free = on_free,
    };
    return config;
}

/* One loop and its listener. */
typedef struct worker {
    apus_loop *loop;
    apus_listener *listener;
} worker;

static sem_t stopped;

static void on_stop(void *context, const apus_statistics *statistics)
{
    (void)context;
    (void)statistics;
    sem_post(&stopped);
}

static void stop(void *argument)
{
    worker *stopping = argument;
    apus_listener_stop(stopping->listener, STOP_DEADLINE, on_stop);
}

static void wait_for_signal(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    int received;
    sigwait(&signals, &received);
}

/* The loops' threads must inherit the mask, so that the signals reach sigwait. */
static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

int main(int argc, char **argv)
{
    options options = parse_options(argc, argv);
    apus_listener_config config = make_config(&options);
    apus_admission admission = {0};
    worker workers[MOST_THREADS];
    apus_loop *loops[MOST_THREADS];
    int fds[MOST_THREADS];
    size_t count = (size_t)options.threads;

    block_signals();
    sem_init(&stopped, 0, 0);
    int error = apus_socket_listen_tcp(options.host, (uint16_t)options.port, 4096, fds, count);
    if (error != APUS_OK)
        fail("cannot listen: ", apus_socket_error_message(error));
    for (size_t i = 0; i < count; i++) {
        loops[i] = workers[i].loop = apus_loop_new();
        if (loops[i] == NULL)
            fail("cannot make a loop: out of memory or descriptors", "");
    }
    if (options.is_broadcast && (everybody = apus_topic_new(loops, count)) == NULL)
        fail("out of memory", "");
    apus_address address;
    apus_socket_local(fds[0], &address);
    for (size_t i = 0; i < count; i++) {
        if (apus_listener_open(&workers[i].listener, loops[i], fds[i], &config, &admission, NULL) != APUS_OK ||
            apus_loop_start(loops[i], "core-echo") != APUS_OK)
            fail("cannot start a loop", "");
    }
    printf("listening on %u\n", address.port);
    fflush(stdout);

    wait_for_signal();
    for (size_t i = 0; i < count; i++)
        apus_loop_post(loops[i], stop, &workers[i]);
    for (size_t i = 0; i < count; i++)
        sem_wait(&stopped);
    for (size_t i = 0; i < count; i++)
        apus_loop_free(loops[i]);
    if (everybody != NULL)
        apus_topic_release(everybody);
    apus_tls_context_release(config.endpoint.tls);
    return EXIT_SUCCESS;
}
