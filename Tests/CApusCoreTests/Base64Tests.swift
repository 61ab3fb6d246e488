import CApusCore
import Testing

private func encode(_ data: [UInt8]) -> String {
    let input = GuardedInput(data)
    return withExtendedLifetime(input) {
        let text = [CChar](unsafeUninitializedCapacity: (data.count + 2) / 3 * 4 + 1) { text, count in
            count = apus_base64_encode(input.bytes, input.count, text.baseAddress!)  // its capacity is not zero
        }
        return String(decoding: text.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Decodes into exactly `capacity` bytes; nil where the text is refused.
private func decode(_ text: [UInt8], capacity: Int = 256) -> [UInt8]? {
    let unwritten = UInt8(0xa5)
    var data = [UInt8](repeating: unwritten, count: capacity + 1)
    let count = withText(text) { apus_base64_decode($0.data, $0.len, &data, capacity) }
    #expect(data[capacity] == unwritten)
    if count < 0 {
        #expect(count == Int(APUS_EINVAL.rawValue))
        return nil
    }
    return Array(data.prefix(count))
}

private func decode(_ text: String) -> [UInt8]? {
    decode(bytes(text))
}

struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `the vectors of RFC 4648 §10 go both ways`(plain: String, text: String) {
        #expect(encode(bytes(plain)) == text)
        #expect(decode(text) == bytes(plain))
    }

    @Test func `the key of RFC 6455 §1.3 is "the sample nonce"`() {
        #expect(decode("dGhlIHNhbXBsZSBub25jZQ==") == bytes("the sample nonce"))
    }

    @Test func `all lengths and all bytes go both ways`() {
        let all = (0...255).map { UInt8($0) }
        for count in 0...all.count {
            let data = Array(all.suffix(count))
            #expect(decode(encode(data)) == data)
        }
    }

    @Test func `a character outside the alphabet is refused in every place`() {
        let alphabet = Set(bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
        for character in (0...255).map({ UInt8($0) }) {
            for place in 0..<4 {
                var text = bytes("AAAAAAAA")
                text[place] = character
                #expect((decode(text) != nil) == alphabet.contains(character))
            }
        }
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zm9", "Zm9vY", "=", "==", "====", "Z===", "Zg==Zg==", "Zm8=Zg==", "Z=g=", "=Zg=", "Zg=A",
        " Zg==", "Zg== ", "Zg==\n", "Zm9v\r\n", "Zg==\0", "Zm-_",
    ])
    func `text without right padding, or with anything else in it, is refused`(text: String) {
        #expect(decode(text) == nil)
    }

    @Test func `unused bits that are not zero are refused`() {
        let alphabet = bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        for (value, character) in alphabet.enumerated() {
            #expect((decode([0x41, character, 0x3d, 0x3d]) != nil) == (value % 16 == 0))
            #expect((decode([0x41, 0x41, character, 0x3d]) != nil) == (value % 4 == 0))
        }
    }

    @Test func `what does not fit is refused, and what fits exactly is not`() {
        for count in 0...10 {
            let data = [UInt8](repeating: 0x5a, count: count)
            let text = bytes(encode(data))
            #expect(decode(text, capacity: count) == data)
            if count > 0 {
                #expect(decode(text, capacity: count - 1) == nil)
            }
        }
    }
}
