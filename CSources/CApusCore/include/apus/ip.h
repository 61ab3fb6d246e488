/* IP addresses and ranges of them, as bytes and as text. */
#ifndef APUS_IP_H
#define APUS_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apus/head.h"
#include "apus/macros.h"

APUS_ASSUME_NONNULL_BEGIN

/* Room for the text of any address, with its final zero. */
#define APUS_IP_TEXT_SIZE 46

/* Bits of an address. */
#define APUS_IP_BITS 128

/* An address of either version: an IPv4 one is the IPv6 one that it is mapped to (RFC 4291 §2.5.5.2), which is also
 * how a socket for both versions shows it. */
typedef struct apus_ip {
    uint8_t bytes[16];
} apus_ip;

/* All addresses that begin with the first `prefix` bits of `ip`. */
typedef struct apus_ip_range {
    apus_ip ip;
    uint8_t prefix; /* 0 to 128; 96 more than an IPv4 range is written with */
} apus_ip_range;

/* The address of four bytes, most significant first. */
apus_ip apus_ip_from_v4(const uint8_t bytes[4]);

bool apus_ip_is_v4(const apus_ip *ip);

/* Reads all of `text` as an address: four decimal octets without leading zeros, or RFC 4291 §2.2; neither brackets nor
 * a zone. */
bool apus_ip_parse(apus_ip *out, apus_text text);

/* Writes the address as RFC 5952 has it, IPv4 as four octets, and a final zero. Returns the length without that. */
size_t apus_ip_write(const apus_ip *ip, char out[APUS_IP_TEXT_SIZE]);

/* Reads "ADDRESS" or "ADDRESS/PREFIX". False also where a bit behind the prefix is set: whoever writes 10.1.2.3/8 may
 * have meant something else. */
bool apus_ip_range_parse(apus_ip_range *out, apus_text text);

bool apus_ip_range_holds(const apus_ip_range *range, const apus_ip *ip);

/* Whether any of the ranges holds the address. */
bool apus_ip_is_in(const apus_ip *ip, const apus_ip_range *_Nullable ranges, size_t count);

APUS_ASSUME_NONNULL_END

#endif
