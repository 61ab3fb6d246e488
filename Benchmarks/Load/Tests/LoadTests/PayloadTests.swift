import Load
import Testing

struct PayloadTests {
    static let texts = [
        LOAD_CONTENT_ASCII, LOAD_CONTENT_JSON, LOAD_CONTENT_CYRILLIC, LOAD_CONTENT_CHINESE, LOAD_CONTENT_EMOJI,
        LOAD_CONTENT_MIXED,
    ]

    static func payload(_ count: Int, _ content: load_content, seed: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: count)
        load_payload_fill(&bytes, bytes.count, content, seed)
        return bytes
    }

    @Test(arguments: texts.map(\.rawValue))
    func `text is UTF-8 at every length`(content: UInt32) {
        for count in 1...300 {
            let bytes = Self.payload(count, load_content(content), seed: UInt64(count))
            #expect(String(validating: bytes, as: UTF8.self) != nil, "\(count) bytes")
        }
    }

    @Test func `the same seed yields the same bytes, another seed others`() {
        for content in Self.texts + [LOAD_CONTENT_BINARY] {
            #expect(Self.payload(20, content, seed: 3) == Self.payload(20, content, seed: 3))
            let all = Set((0..<256).map { Self.payload(20, content, seed: $0) })
            #expect(all.count == 256)
        }
    }
}
