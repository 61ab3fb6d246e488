import Foundation
import Testing

@testable import Apus

struct JSONStringTests {
    private func written(_ text: String) -> String {
        var bytes = Array("[".utf8)
        JSONString.append(text, to: &bytes)
        return String(decoding: bytes + "]".utf8, as: UTF8.self)
    }

    @Test func `a string of any characters is read as it was written`() throws {
        let ascii = String(String.UnicodeScalarView((0..<0x80).map { Unicode.Scalar(UInt8($0)) }))
        for text in ["", ascii, "\"", "\\\\", "a\u{301}\u{323}", "你好 👋🏽\u{2028}\u{2029}\u{7F}\u{80}\u{10FFFF}"] {
            let read = try JSONSerialization.jsonObject(with: Data(written(text).utf8)) as? [String]
            #expect(read?.map { Array($0.utf8) } == [Array(text.utf8)])
        }
    }

    @Test func `nothing is escaped that need not be, and what has a short escape gets it`() {
        #expect(written("a/b <i> ü") == #"["a/b <i> ü"]"#)
        #expect(written("\"\\\u{8}\t\n\u{C}\r") == #"["\"\\\b\t\n\f\r"]"#)
        #expect(written("\u{0}\u{1}\u{B}\u{10}\u{1F}") == #"["\u0000\u0001\u000b\u0010\u001f"]"#)
    }
}
