/* Checks the header of the PROXY protocol, and addresses, with any bytes:
 *
 * - the header is known, or refused, with the same byte however many more have come;
 * - what it tells is in it: an address is written as text that is read as the same;
 * - a version 1 line of what was told is read as the same;
 * - a range that is read holds its own address. */
#include "apus/proxy.h"

#include "require.h"

static ptrdiff_t read_header(const uint8_t *data, size_t len, apus_proxy_header *out)
{
    uint8_t *copy = copy_of(data, len);
    ptrdiff_t size = apus_proxy_read(out, copy, len);
    if (size > 0 && out->kind == APUS_PROXY_UNIX) {
        const uint8_t *path = (const uint8_t *)out->source_path.data;
        require(path >= copy && path + out->source_path.len <= copy + size, "a path is in the header");
        out->source_path.data = (const char *)data + (path - copy);
    }
    free(copy);
    return size;
}

static void check_address(const apus_ip *ip, char text[APUS_IP_TEXT_SIZE])
{
    apus_ip again;
    size_t len = apus_ip_write(ip, text);
    require(len < APUS_IP_TEXT_SIZE && strlen(text) == len, "a text has its length");
    require(apus_ip_parse(&again, (apus_text){text, len}), "an address that is written is read");
    require(memcmp(ip, &again, sizeof again) == 0, "and is the same");
}

/* Version 1 has one family for both addresses. */
static void check_line(const apus_proxy_header *header)
{
    char source[APUS_IP_TEXT_SIZE], destination[APUS_IP_TEXT_SIZE], line[128];
    check_address(&header->source, source);
    check_address(&header->destination, destination);
    if (apus_ip_is_v4(&header->source) != apus_ip_is_v4(&header->destination))
        return;
    int len = snprintf(line, sizeof line, "PROXY %s %s %s %u %u\r\n", apus_ip_is_v4(&header->source) ? "TCP4" : "TCP6",
                       source, destination, header->source_port, header->destination_port);
    apus_proxy_header again;
    require(read_header((const uint8_t *)line, (size_t)len, &again) == len, "a line that is written is read");
    require(again.kind == APUS_PROXY_IP && memcmp(&again.source, &header->source, sizeof again.source) == 0 &&
                memcmp(&again.destination, &header->destination, sizeof again.destination) == 0 &&
                again.source_port == header->source_port && again.destination_port == header->destination_port,
            "and is the same");
}

static void check_range(const uint8_t *data, size_t len)
{
    apus_ip_range range;
    uint8_t *copy = copy_of(data, len);
    if (apus_ip_range_parse(&range, (apus_text){(const char *)copy, len})) {
        require(range.prefix <= APUS_IP_BITS, "a prefix is no longer than an address");
        require(apus_ip_is_in(&range.ip, &range, 1), "a range holds its own address");
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    apus_proxy_header header, early;
    ptrdiff_t size = read_header(data, len, &header);
    require(size <= APUS_PROXY_MOST_SIZE && (size < 0 || (size_t)size <= len), "a header has an end");
    bool is_decided = false;
    for (size_t count = 0; count <= len && count <= APUS_PROXY_MOST_SIZE; count++) {
        ptrdiff_t result = read_header(data, count, &early);
        require(!is_decided || result == size, "what is decided stays so");
        is_decided |= result != 0;
        require(!is_decided || result == size, "it is decided alike");
    }
    if (size > 0 && header.kind == APUS_PROXY_IP)
        check_line(&header);
    check_range(data, len);
    return 0;
}
