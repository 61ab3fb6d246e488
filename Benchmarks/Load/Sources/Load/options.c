#include "load/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CONNECTIONS 1000000
#define MOST_DEPTH 4096
#define MOST_SIZE (UINT64_C(64) << 20)
#define LEAST_SOCKETIO 20 /* the frame of an event, and a little */
#define MOST_SECONDS 86400
#define MOST_COUNT UINT64_C(1000000000000)

enum { OPTION_DEFLATE = 256, OPTION_RAW, OPTION_SOCKETIO, OPTION_CA, OPTION_INSECURE, OPTION_TIMEOUT, OPTION_VERSION };

const char *const load_mode_names[] = {
    [LOAD_MODE_ECHO] = "echo",
    [LOAD_MODE_FANOUT] = "fanout",
    [LOAD_MODE_CONNECT] = "connect",
    [LOAD_MODE_IDLE] = "idle",
};
#define MODE_COUNT (sizeof load_mode_names / sizeof load_mode_names[0])

static const struct option known[] = {
    {"connections", required_argument, NULL, 'c'},
    {"size", required_argument, NULL, 's'},
    {"content", required_argument, NULL, 'k'},
    {"depth", required_argument, NULL, 'd'},
    {"rate", required_argument, NULL, 'r'},
    {"duration", required_argument, NULL, 't'},
    {"warmup", required_argument, NULL, 'w'},
    {"messages", required_argument, NULL, 'n'},
    {"deflate", no_argument, NULL, OPTION_DEFLATE},
    {"raw", no_argument, NULL, OPTION_RAW},
    {"socketio", no_argument, NULL, OPTION_SOCKETIO},
    {"ca", required_argument, NULL, OPTION_CA},
    {"insecure", no_argument, NULL, OPTION_INSECURE},
    {"header", required_argument, NULL, 'H'},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"pid", required_argument, NULL, 'p'},
    {"json", required_argument, NULL, 'j'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* What a parse works on; the first fault is kept. */
typedef struct parser {
    load_options *out;
    char *error;
    bool has_failed;
} parser;

static void __attribute__((format(printf, 2, 3))) fault(parser *parser, const char *words, ...)
{
    if (parser->has_failed)
        return;
    parser->has_failed = true;
    va_list arguments;
    va_start(arguments, words);
    vsnprintf(parser->error, LOAD_ERROR_SIZE, words, arguments);
    va_end(arguments);
}

/* Returns what a unit multiplies by, or 0 where it is none. */
static uint64_t unit_of(const char *text, bool is_size)
{
    static const struct {
        const char *name;
        uint64_t factor;
        bool is_binary;
    } units[] = {
        {"", 1, false}, {"k", 1000, false}, {"m", 1000000, false}, {"Ki", 1 << 10, true}, {"Mi", 1 << 20, true}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].name) == 0 && (is_size || !units[i].is_binary))
            return units[i].factor;
    }
    return 0;
}

static uint64_t number(parser *parser, const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    bool is_digit = *text >= '0' && *text <= '9';
    unsigned long long value = strtoull(text, &end, 10);
    uint64_t factor = is_digit ? unit_of(end, strcmp(option, "size") == 0) : 0;
    if (factor == 0 || value > most / factor || value * factor < least)
        fault(parser, "--%s takes a number from %llu to %llu, not '%s'", option, (unsigned long long)least,
              (unsigned long long)most, text);
    return value * factor;
}

static double seconds(parser *parser, const char *option, const char *text, bool is_zero_allowed)
{
    char *end;
    double value = strtod(text, &end);
    /* Written so that NaN fails too. */
    if (end == text || *end != '\0' || !(is_zero_allowed ? value >= 0 : value > 0) || !(value <= MOST_SECONDS))
        fault(parser, "--%s takes seconds%s, at most %d, not '%s'", option, is_zero_allowed ? "" : " above 0",
              MOST_SECONDS, text);
    return value;
}

static load_content content(parser *parser, const char *text)
{
    for (int i = 0; i < LOAD_CONTENT_COUNT; i++) {
        if (strcmp(text, load_content_names[i]) == 0)
            return (load_content)i;
    }
    fault(parser, "--content takes binary, ascii, json, cyrillic, chinese, emoji or mixed, not '%s'", text);
    return LOAD_CONTENT_BINARY;
}

static void add_pid(parser *parser, const char *text)
{
    int pid = (int)number(parser, "pid", text, 1, INT32_MAX);
    if (parser->out->pid_count == LOAD_MOST_PIDS)
        fault(parser, "--pid can be given %d times at most", LOAD_MOST_PIDS);
    else
        parser->out->pids[parser->out->pid_count++] = pid;
}

static void add_header(parser *parser, const char *text)
{
    if (strchr(text, ':') == NULL || strpbrk(text, "\r\n") != NULL || strlen(text) > 1024)
        fault(parser, "--header takes 'Name: value' on one line, not '%s'", text);
    else if (parser->out->header_count == LOAD_MOST_HEADERS)
        fault(parser, "--header can be given %d times at most", LOAD_MOST_HEADERS);
    else
        parser->out->headers[parser->out->header_count++] = text;
}

static void take_load_option(parser *parser, int option, const char *text)
{
    load_options *out = parser->out;
    switch (option) {
    case 'c':
        out->connections = number(parser, "connections", text, 1, MOST_CONNECTIONS);
        break;
    case 's':
        out->size = number(parser, "size", text, 1, MOST_SIZE);
        break;
    case 'k':
        out->content = content(parser, text);
        break;
    case 'd':
        out->depth = number(parser, "depth", text, 1, MOST_DEPTH);
        break;
    case 'r':
        out->rate = number(parser, "rate", text, 1, 100000000);
        break;
    case 't':
        out->duration = seconds(parser, "duration", text, false);
        break;
    case 'w':
        out->warmup = seconds(parser, "warmup", text, true);
        break;
    case 'n':
        out->messages = number(parser, "messages", text, 1, MOST_COUNT);
        break;
    }
}

static void take_option(parser *parser, int option, const char *text)
{
    load_options *out = parser->out;
    switch (option) {
    case OPTION_DEFLATE:
        out->is_deflate = true;
        break;
    case OPTION_RAW:
        out->is_raw = true;
        break;
    case OPTION_SOCKETIO:
        out->is_socketio = true;
        break;
    case OPTION_CA:
        out->ca = text;
        break;
    case OPTION_INSECURE:
        out->is_insecure = true;
        break;
    case OPTION_TIMEOUT:
        out->timeout = seconds(parser, "timeout", text, false);
        break;
    case 'H':
        add_header(parser, text);
        break;
    case 'p':
        add_pid(parser, text);
        break;
    case 'j':
        out->json = text;
        break;
    case 'q':
        out->is_quiet = true;
        break;
    default:
        take_load_option(parser, option, text);
    }
}

/* Splits ws://HOST:PORT/PATH; HOST may be an address in brackets, PORT and PATH may be missing. */
static void take_url(parser *parser, const char *url)
{
    load_options *out = parser->out;
    out->url = url;
    out->is_tls = strncmp(url, "wss://", 6) == 0;
    if (!out->is_tls && strncmp(url, "ws://", 5) != 0) {
        fault(parser, "the URL starts with ws:// or wss://, unlike '%s'", url);
        return;
    }
    const char *host = url + (out->is_tls ? 6 : 5), *end = host + strcspn(host, "/?#"), *host_end, *port;
    bool is_bracketed = *host == '[';
    host += is_bracketed;
    host_end = is_bracketed ? memchr(host, ']', (size_t)(end - host)) : host + strcspn(host, ":/?#");
    if (host_end == NULL || host_end == host || (size_t)(host_end - host) >= sizeof out->host) {
        fault(parser, "the URL has no host: '%s'", url);
        return;
    }
    snprintf(out->host, sizeof out->host, "%.*s", (int)(host_end - host), host);
    port = host_end + is_bracketed;
    snprintf(out->port, sizeof out->port, "%s", out->is_tls ? "443" : "80");
    if (port != end) {
        char *port_end;
        unsigned long value = *port == ':' && port + 1 != end ? strtoul(port + 1, &port_end, 10) : 0;
        if (value == 0 || value > 65535 || port_end != end) {
            fault(parser, "the URL's port is no number from 1 to 65535: '%s'", url);
            return;
        }
        snprintf(out->port, sizeof out->port, "%lu", value);
    }
    if (*end != '\0' && *end != '/')
        fault(parser, "the URL's path has to begin with /: '%s'", url);
    out->path = *end == '/' ? end : "/";
}

static void take_words(parser *parser, int count, char **words)
{
    for (size_t i = 0; count > 0 && i < MODE_COUNT; i++) {
        if (strcmp(words[0], load_mode_names[i]) == 0) {
            parser->out->mode = (load_mode)i;
            count--;
            words++;
            break;
        }
    }
    if (count == 0)
        fault(parser, "which server? Give its URL: ws://HOST:PORT/");
    else if (count > 1 && strstr(words[0], "://") == NULL)
        fault(parser, "the modes are echo, fanout, connect and idle, not '%s'", words[0]);
    else if (count > 1)
        fault(parser, "one URL is enough, so what is '%s'?", words[1]);
    else
        take_url(parser, words[0]);
}

/* Options that contradict each other. */
static void check(parser *parser)
{
    const load_options *out = parser->out;
    if (parser->has_failed)
        return; /* what the others would look at may be out of range */
    bool sends = out->mode == LOAD_MODE_ECHO || out->mode == LOAD_MODE_FANOUT;
    if (!sends && (out->rate != 0 || out->messages != 0 || out->is_deflate || out->is_raw))
        fault(parser, "--rate, --messages, --deflate and --raw are for the modes that send: echo and fanout");
    if (out->mode == LOAD_MODE_ECHO && out->messages % out->connections != 0)
        fault(parser, "--messages is shared equally: it has to be a multiple of --connections");
    if (out->rate != 0 && out->depth != 1)
        fault(parser, "--rate sends when a message is due, whatever is in flight: it takes no --depth");
    if (out->is_raw && (out->is_tls || out->is_deflate || out->mode != LOAD_MODE_ECHO))
        fault(parser, "--raw is for the mode echo, without TLS and --deflate");
    if (out->is_deflate && out->content == LOAD_CONTENT_BINARY)
        fault(parser, "--deflate on random bytes measures nothing: choose --content json, say");
    if (out->is_socketio && (out->is_raw || out->content != LOAD_CONTENT_BINARY || out->size < LEAST_SOCKETIO))
        fault(parser, "--socketio sends events of its own, of at least %d bytes: it takes no --content, and no --raw",
              LEAST_SOCKETIO);
    if (!out->is_tls && (out->ca != NULL || out->is_insecure))
        fault(parser, "--ca and --insecure are for wss:// URLs");
}

load_parsed load_options_parse(load_options *out, int argc, char **argv, char error[LOAD_ERROR_SIZE])
{
    *out = (load_options){.connections = 100, .size = 20, .depth = 1, .duration = 5, .warmup = 0.5, .path = "/"};
    parser parser = {.out = out, .error = error};
    opterr = 0;
    optind = 0; /* starts anew, in glibc and musl */
    for (int option; (option = getopt_long(argc, argv, ":c:s:k:d:r:t:w:n:H:p:j:qh", known, NULL)) != -1;) {
        if (option == 'h')
            return LOAD_PARSED_HELP;
        if (option == OPTION_VERSION)
            return LOAD_PARSED_VERSION;
        if (option == '?')
            fault(&parser, "there is no option %s (see --help)", argv[optind - 1]);
        else if (option == ':')
            fault(&parser, "%s needs a value (see --help)", argv[optind - 1]);
        else
            take_option(&parser, option, optarg);
    }
    take_words(&parser, argc - optind, argv + optind);
    check(&parser);
    if (out->is_socketio) {
        out->content = LOAD_CONTENT_ASCII;
        out->path = strcmp(out->path, "/") == 0 ? "/socket.io/?EIO=4&transport=websocket" : out->path;
    }
    if (out->timeout == 0)
        out->timeout = out->duration + out->warmup + 60;
    return parser.has_failed ? LOAD_PARSED_ERROR : LOAD_PARSED_RUN;
}
