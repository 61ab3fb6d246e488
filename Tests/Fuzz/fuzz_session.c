/* Gives a session any bytes, in either role, whole, byte by byte and in random pieces, each in memory of its own:
 *
 * - all ways tell the same events and send the same replies, also where bytes are read to where they are kept;
 * - a text message and a close reason are UTF-8, a message keeps its limit, and nothing is told behind the end;
 * - a reply is one whole control frame that the peer can parse: a ping's pong, a close's echo, a failure's code;
 * - while CLOSING no message is told and no ping answered;
 * - where an allocation fails, the events up to there are the same, and then the session fails with that;
 * - all this with permessage-deflate and without.
 *
 * Input: a byte that chooses role, limits and what the application does with messages; the seed of the pieces; two
 * bytes that say where this end closes (behind the input: never); which allocation fails; and the peer's bytes. */
#include "apus/session.h"

#include "apus/alloc.h"
#include "require.h"

#define START_SIZE 5
#define NEVER SIZE_MAX

/* All that was told and sent, one event behind the other. */
typedef struct record {
    uint8_t *data;
    size_t len;
    size_t capacity;
    size_t last; /* where the last event begins */
} record;

typedef struct input {
    const uint8_t *data;
    size_t len;
    size_t closing; /* the bytes before this end's Close */
    apus_session_config config;
    bool takes_messages;
    bool is_deflate;
    bool keeps_context;
} input;

/* One session's way through the input. */
typedef struct run {
    apus_session session;
    const input *in;
    record record;
    uint32_t random; /* for the pieces; 0: as large as can be */
    bool is_bytewise;
    bool has_ended;
    int error;
} run;

static void write_record(record *record, const void *data, size_t len)
{
    if (record->len + len > record->capacity) {
        record->capacity = (record->len + len) * 2;
        record->data = realloc(record->data, record->capacity);
        require(record->data != NULL, "there is memory for the record");
    }
    if (len != 0)
        memcpy(record->data + record->len, data, len);
    record->len += len;
}

static uint32_t next_random(run *run)
{
    run->random = run->random * 1664525 + 1013904223;
    return run->random >> 16;
}

static bool is_utf8(const uint8_t *data, size_t len)
{
    apus_utf8 utf8;
    apus_utf8_init(&utf8);
    return apus_utf8_validate(&utf8, data, len) == len && apus_utf8_is_complete(&utf8);
}

static apus_masking_key make_key(void *context)
{
    return *(uint32_t *)context += 0x9E3779B9;
}

/* Parses a frame of ours as the peer would, and unmasks its payload in place; returns the payload. */
static uint8_t *check_frame(const run *run, uint8_t *data, size_t len, apus_opcode opcode, size_t *payload_len)
{
    apus_frame frame;
    apus_role peer = run->in->config.role == APUS_ROLE_SERVER ? APUS_ROLE_CLIENT : APUS_ROLE_SERVER;
    ptrdiff_t size = apus_frame_parse(data, len, peer, &frame);
    require(size > 0 && frame.opcode == opcode && frame.payload_len == len - (size_t)size, "a frame is sent whole");
    *payload_len = (size_t)frame.payload_len;
    apus_mask(data + size, data + size, *payload_len, frame.masking_key);
    return data + size;
}

static void check_close_reply(run *run, apus_event *event, uint16_t code)
{
    apus_close close;
    size_t len;
    uint8_t *payload = check_frame(run, event->reply, event->reply_len, APUS_OPCODE_CLOSE, &len);
    require(apus_close_parse(payload, len, &close) == APUS_OK && close.code == code && close.reason_len == 0,
            "a Close is answered with its code, and a failure with its own");
    write_record(&run->record, payload, len);
}

static void check_end(run *run, apus_event *event, uint16_t code, bool was_open)
{
    require(run->session.state == APUS_STATE_CLOSED, "the session is closed");
    require((event->reply_len != 0) == was_open, "one Close is sent, not two");
    if (was_open)
        check_close_reply(run, event, code);
    run->has_ended = true;
}

static void check_ping(run *run, apus_event *event)
{
    size_t len;
    uint8_t *payload = check_frame(run, event->reply, event->reply_len, APUS_OPCODE_PONG, &len);
    require(len == event->len && memcmp(payload, event->data, len) == 0, "a pong has the ping's payload");
}

/* What an application may do with a message: nothing, forget it, or take it over. */
static void handle_message(run *run, const apus_event *event)
{
    require(event->opcode == APUS_OPCODE_TEXT || event->opcode == APUS_OPCODE_BINARY, "a message is one of two");
    require(event->opcode == APUS_OPCODE_BINARY || is_utf8(event->data, event->len), "a text is UTF-8");
    require(event->len <= run->in->config.limits.size, "a message keeps its limit");
    if (!run->in->takes_messages)
        return;
    if (event->len % 2 == 0) {
        apus_session_forget_message(&run->session);
        return;
    }
    uint8_t *payload = apus_session_take_payload(&run->session);
    require(payload == NULL || payload == event->data, "what is taken over is what was told");
    apus_free(payload);
}

static void check_event(run *run, apus_event *event, bool was_open)
{
    require(!run->has_ended, "nothing is told behind the end");
    run->record.last = run->record.len;
    write_record(&run->record, &event->kind, sizeof event->kind);
    if (event->kind != APUS_EVENT_FAIL) {
        write_record(&run->record, &event->len, sizeof event->len);
        write_record(&run->record, event->data, event->len);
    }
    switch (event->kind) {
    case APUS_EVENT_NONE:
        return;
    case APUS_EVENT_MESSAGE:
        require(was_open && event->reply_len == 0, "a message is told while open, and not answered");
        write_record(&run->record, &event->opcode, sizeof event->opcode);
        handle_message(run, event);
        return;
    case APUS_EVENT_PING:
        require(was_open, "a ping is told while open");
        check_ping(run, event);
        return;
    case APUS_EVENT_PONG:
        require(event->reply_len == 0, "a pong is not answered");
        return;
    case APUS_EVENT_PART:
    case APUS_EVENT_LAST_PART:
        require(false, "no parts are told where none were asked for");
        return;
    case APUS_EVENT_CLOSE:
        require(is_utf8(event->data, event->len), "a reason is UTF-8");
        write_record(&run->record, &event->code, sizeof event->code);
        check_end(run, event, event->code, was_open);
        return;
    case APUS_EVENT_FAIL:
        write_record(&run->record, &event->error, sizeof event->error);
        run->error = event->error;
        check_end(run, event, apus_error_code(event->error), was_open);
        return;
    }
}

/* Where to give the bytes from: memory of their own, or, of pieces, where the session is going to keep them. */
static uint8_t *place_bytes(run *run, const uint8_t *data, size_t len, bool *is_owned)
{
    size_t room = 0;
    uint8_t *place = run->random == 0 ? NULL : apus_session_find_place(&run->session, &room);
    *is_owned = place == NULL || room < len;
    if (*is_owned)
        return copy_of(data, len);
    memcpy(place, data, len);
    return place;
}

static void receive(run *run, const uint8_t *data, size_t len)
{
    bool is_owned;
    uint8_t *copy = place_bytes(run, data, len, &is_owned);
    apus_event event;
    size_t taken = 0;
    do {
        bool was_open = apus_session_is_open(&run->session);
        memset(&event, 0xA5, sizeof event);
        size_t more = apus_session_receive(&run->session, copy + taken, len - taken, &event);
        require(more <= len - taken, "no more is taken than is there");
        taken += more;
        if (event.kind != APUS_EVENT_NONE)
            check_event(run, &event, was_open);
    } while (event.kind != APUS_EVENT_NONE && taken < len);
    require(taken == len, "without an event all is taken");
    if (is_owned)
        free(copy);
}

/* Mostly a few bytes, which cut everything, and now and then enough for a whole message of 16 bits of length. */
static size_t random_piece(run *run)
{
    size_t most = next_random(run) % 4 == 0 ? 700 : 24;
    return 1 + next_random(run) % most;
}

static void receive_in_pieces(run *run, const uint8_t *data, size_t len)
{
    while (len != 0) {
        size_t piece = run->is_bytewise ? 1 : run->random == 0 ? len : random_piece(run);
        piece = piece < len ? piece : len;
        receive(run, data, piece);
        data += piece;
        len -= piece;
    }
}

static void close_session(run *run)
{
    uint8_t frame[APUS_CONTROL_FRAME_SIZE];
    bool is_open = apus_session_is_open(&run->session);
    ptrdiff_t size = apus_session_close(&run->session, 1001, (const uint8_t *)"why", 3, frame);
    require(is_open ? size > 0 : size == APUS_ECLOSED, "an open session can be closed, and no other");
    if (is_open) {
        size_t len;
        uint8_t *payload = check_frame(run, frame, (size_t)size, APUS_OPCODE_CLOSE, &len);
        require(len == 5 && memcmp(payload, "\x03\xe9why", 5) == 0, "a Close is sent as it was asked for");
    }
    require(apus_session_control(&run->session, APUS_OPCODE_PING, NULL, 0, frame) == APUS_ECLOSED,
            "nothing follows a Close");
}

static void set_compression(run *run, apus_deflate_pool *pool)
{
    static apus_compression_config config;
    apus_compression_config_init(&config);
    bool keeps = run->in->keeps_context;
    apus_deflate_parameters parameters = {15, 15, !keeps, !keeps, false};
    apus_compression *compression = apus_compression_new(run->in->config.role, &config, &parameters, pool);
    if (compression == NULL) /* the one allocation that is to fail */
        compression = apus_compression_new(run->in->config.role, &config, &parameters, pool);
    require(compression != NULL, "there is memory for compression");
    apus_session_set_compression(&run->session, compression);
}

/* Goes the whole way; the record is the caller's to free. */
static run go(const input *in, uint32_t random, bool is_bytewise)
{
    uint32_t keys = 0;
    apus_session_config config = in->config;
    config.make_key = make_key;
    config.context = &keys;
    run run = {.in = in, .random = random, .is_bytewise = is_bytewise};
    apus_deflate_pool pool = {0};
    apus_session_init(&run.session, &config);
    if (in->is_deflate)
        set_compression(&run, &pool);
    apus_session_open(&run.session);
    size_t border = in->closing < in->len ? in->closing : in->len;
    receive_in_pieces(&run, in->data, border);
    if (in->closing != NEVER)
        close_session(&run);
    receive_in_pieces(&run, in->data + border, in->len - border);
    require(run.has_ended == (run.session.state == APUS_STATE_CLOSED), "an end is told");
    apus_session_end(&run.session);
    apus_session_deinit(&run.session);
    apus_deflate_pool_clear(&pool);
    run.session.config = NULL;
    return run;
}

/* Whether both begin with the same `len` bytes; a record of nothing has no memory. */
static bool begin_alike(const record *one, const record *other, size_t len)
{
    return len == 0 || memcmp(one->data, other->data, len) == 0;
}

static void check_same(const record *one, const record *other)
{
    require(one->len == other->len && begin_alike(one, other, one->len), "all ways tell the same");
}

/* Goes byte by byte, which needs the most memory, with one allocation failing. */
static void check_failing(const input *in, const record *expected, unsigned nth)
{
    apus_alloc_fail(nth);
    run failing = go(in, 0, true);
    apus_alloc_fail(0);
    if (failing.error == APUS_ENOMEM) {
        size_t before = failing.record.last;
        require(before <= expected->len, "no more was told than without the failure");
        require(begin_alike(&failing.record, expected, before), "and nothing else");
    } else {
        check_same(&failing.record, expected);
    }
    free(failing.record.data);
}

static input read_input(const uint8_t *data, size_t len)
{
    static const apus_message_limits limits[] = {{1 << 16, 64}, {0, 1},   {7, 2},           {124, 64},
                                                 {125, 64},     {126, 3}, {UINT64_MAX, 64}, {300, UINT32_MAX}};
    input in = {.data = data + START_SIZE, .len = len - START_SIZE, .closing = (size_t)data[2] << 8 | data[3]};
    in.config.role = data[0] & 1 ? APUS_ROLE_CLIENT : APUS_ROLE_SERVER;
    in.config.limits = limits[data[0] >> 1 & 7];
    in.takes_messages = (data[0] & 16) != 0;
    in.is_deflate = (data[0] & 32) != 0;
    in.keeps_context = (data[0] & 64) != 0;
    if (in.closing > in.len)
        in.closing = NEVER;
    return in;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < START_SIZE)
        return 0;
    input in = read_input(data, len);
    run whole = go(&in, 0, false);
    run bytewise = go(&in, 0, true);
    run pieces = go(&in, 1 + (uint32_t)data[1], false);
    check_same(&whole.record, &bytewise.record);
    check_same(&whole.record, &pieces.record);
    if (data[4] != 0)
        check_failing(&in, &whole.record, data[4]);
    free(whole.record.data);
    free(bytewise.record.data);
    free(pieces.record.data);
    return 0;
}
