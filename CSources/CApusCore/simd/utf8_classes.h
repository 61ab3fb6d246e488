/* What can be wrong with two neighbouring bytes: each class of error is a bit. Three tables, one for each of three
 * half bytes, hold the classes that such a half byte allows; what all three allow is an error.
 *
 * For the UTF-8 kernels only, which is why nothing here has a prefix. */
#ifndef APUS_SIMD_UTF8_CLASSES_H
#define APUS_SIMD_UTF8_CLASSES_H

#include <stdint.h>

enum {
    /*                           first     second                                                          */
    TOO_SHORT = 1 << 0,     /* 11______  0_______  a lead with no tail behind it                       */
                            /*           11______                                                      */
    TOO_LONG = 1 << 1,      /* 0_______  10______  a tail behind ASCII                                 */
    OVERLONG_3 = 1 << 2,    /* 11100000  100_____  E0: below U+0800                                    */
    TOO_LARGE = 1 << 3,     /* 11110100  1001____  F4: above U+10FFFF                                  */
                            /*           101_____                                                      */
                            /* 11110101  1001____  F5 to FF: no character begins so                    */
                            /* 1111011_  101_____                                                      */
                            /* 11111___                                                                */
    SURROGATE = 1 << 4,     /* 11101101  101_____  ED: U+D800 to U+DFFF                                */
    OVERLONG_2 = 1 << 5,    /* 1100000_  10______  C0 and C1: below U+0080                             */
    OVERLONG_4 = 1 << 6,    /* 11110000  1000____  F0: below U+10000                                   */
    FAR_TOO_LARGE = 1 << 6, /* 11110101  1000____  F5 to FF again; the low half of the first byte      */
                            /* 1111011_            tells this class from the one before                */
                            /* 11111___                                                                */
    TWO_TAILS = 1 << 7,     /* 10______  10______  an error, unless a lead before wants a second tail  */

    /* The classes that do not ask for the low half of the first byte. */
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_TAILS,
    /* The classes that take every tail for the second byte. */
    ANY_TAIL = TOO_LONG | OVERLONG_2 | TWO_TAILS,
};

static const uint8_t first_high[16] = {
    TOO_LONG, /* 0: ASCII */
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TWO_TAILS, /* 8: tails */
    TWO_TAILS,
    TWO_TAILS,
    TWO_TAILS,
    TOO_SHORT | OVERLONG_2, /* C: leads of two */
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,                 /* E: leads of three */
    TOO_SHORT | TOO_LARGE | FAR_TOO_LARGE | OVERLONG_4, /* F: leads of four, and what is none */
};

static const uint8_t first_low[16] = {
    ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4, /* 0: C0, E0, F0 */
    ANY_LOW | OVERLONG_2,                           /* 1: C1 */
    ANY_LOW,
    ANY_LOW,
    ANY_LOW | TOO_LARGE,                 /* 4: F4 */
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE, /* 5: F5 and so on */
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE | SURROGATE, /* D: ED, FD */
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
    ANY_LOW | TOO_LARGE | FAR_TOO_LARGE,
};

static const uint8_t second_high[16] = {
    TOO_SHORT, /* 0: ASCII */
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    ANY_TAIL | OVERLONG_3 | OVERLONG_4 | FAR_TOO_LARGE, /* 8: tails */
    ANY_TAIL | OVERLONG_3 | TOO_LARGE,
    ANY_TAIL | TOO_LARGE | SURROGATE,
    ANY_TAIL | TOO_LARGE | SURROGATE,
    TOO_SHORT, /* C: leads */
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
};

#define EIGHT(byte) byte, byte, byte, byte, byte, byte, byte, byte

/* The largest bytes that the end of a vector, at most 64 bytes, may hold without ending inside a character: F0 and
 * above want three more, E0 and above two, C0 and above one. */
static const uint8_t complete_ends[64] = {
    EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), 0xFF,
    0xFF,        0xFF,        0xFF,        0xFF,        0xEF,        0xDF,        0xBF,
};

/* From 64 - n on: n bytes of ones, and zeros behind. */
static const uint8_t ones_then_zeros[128] = {
    EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF), EIGHT(0xFF),
};

#endif
