import Foundation
import Testing

@testable import Chat

struct EventWriterTests {
    private func object(_ json: String) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? NSDictionary)
    }

    @Test func `a string of any characters is read as it was written`() throws {
        let ascii = String(String.UnicodeScalarView((0..<0x80).map { Unicode.Scalar(UInt8($0)) }))
        for text in ["", ascii, "\"", "\\\\", "a\u{301}\u{323}", "你好 👋🏽\u{2028}\u{2029}\u{7F}\u{80}\u{10FFFF}"] {
            let json = EventWriter.object { $0.write("text", text) }
            #expect(try object(json) == ["text": text])
            #expect(try EventReader(json).members.count == 1)
        }
    }

    @Test func `nothing is escaped that need not be`() {
        let json = EventWriter.object { $0.write("text", "a/b <i> ü \"\\\n\r\t\u{1}\u{1F}") }
        #expect(json == #"{"text":"a/b <i> ü \"\\\n\r\t\u0001\u001f"}"#)
    }

    @Test func `members and elements are parted by commas, wherever they stand`() {
        let rooms = [RoomSummary(name: "{", members: 1), RoomSummary(name: "[", members: 0)]
        let json = EventWriter.object { object in
            object.write("first", "{")
            object.write("rooms", rooms)
            object.write("none", [String]())
            object.write("names", ["a", "{", ","])
            object.write("room", rooms[0])
            object.write("number", Int64.min)
            object.write("yes", true)
        }
        #expect(
            json == #"{"first":"{","rooms":[{"name":"{","members":1},{"name":"[","members":0}],"none":[],"#
                + #""names":["a","{",","],"room":{"name":"{","members":1},"number":-9223372036854775808,"yes":true}"#)
        #expect(EventWriter.object { _ in } == "{}")
    }
}
