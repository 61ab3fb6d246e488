import CApusCore
import Testing

private func digest(_ message: [UInt8], against edge: GuardedInput.Edge = .end) -> [UInt8] {
    let input = GuardedInput(message, against: edge)
    return withExtendedLifetime(input) {
        [UInt8](unsafeUninitializedCapacity: Int(APUS_SHA1_SIZE)) { digest, count in
            apus_sha1(input.bytes, input.count, digest.baseAddress!)  // its capacity is not zero
            count = Int(APUS_SHA1_SIZE)
        }
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

struct SHA1Tests {
    /// The examples that NIST publishes with FIPS 180-4, and RFC 3174 §7.3.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                + "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "a49b2446a02c645bf419f995b67091253a04a259"
        ),
    ])
    func `the published examples come out`(message: String, expected: String) {
        #expect(hexadecimal(digest(bytes(message))) == expected)
    }

    @Test func `a million times the letter a comes out`() {
        let message = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        #expect(hexadecimal(digest(message)) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
    }

    @Test func `the key of RFC 6455 §1.3 gives the digest that stands there`() {
        let joined = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        #expect(hexadecimal(digest(bytes(joined))) == "b37a4f2cc0624f1690f64606cf385945b2bec4ea")
    }

    /// Every length of the padding is met. The digests of all lengths are digested, and the result was computed
    /// elsewhere (Python's hashlib).
    @Test func `every length from 0 to 300 comes out`() {
        let digests = (0...300).flatMap { digest([UInt8](repeating: UInt8(ascii: "a"), count: $0)) }
        #expect(hexadecimal(digest(digests)) == "9c723e6d1a3322c163723daf00acf97e827fb5a0")
    }

    @Test func `nothing before the message is read`() {
        let message = [UInt8](repeating: UInt8(ascii: "a"), count: 100)
        #expect(digest(message, against: .start) == digest(message))
    }
}
