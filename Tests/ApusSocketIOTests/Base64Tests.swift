import Testing

@testable import ApusSocketIO

struct Base64Tests {
    private static func encode(_ text: String) -> String {
        var out: [UInt8] = []
        Base64.encode(Array(text.utf8), into: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `the vectors of RFC 4648 §10`(text: String, encoded: String) {
        #expect(Self.encode(text) == encoded)
        #expect(Base64.decode(Array(encoded.utf8)[...]) == Array(text.utf8))
        let unpadded = Array(encoded.utf8).filter { $0 != UInt8(ascii: "=") }
        #expect(Base64.decode(unpadded[...]) == Array(text.utf8))
    }

    @Test func `all bytes of all lengths come back`() {
        for count in 0..<300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ count) }
            var encoded: [UInt8] = []
            Base64.encode(bytes, into: &encoded)
            #expect(Base64.decode(encoded[...]) == bytes)
        }
    }

    @Test(arguments: ["A", "AAAAA", "AB", "AAB", "A===", "A=AA", "====", "AA A", "AA-_", "é"])
    func `what is none is refused`(text: String) {
        #expect(Base64.decode(Array(text.utf8)[...]) == nil)
    }
}
