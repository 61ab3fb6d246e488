@testable import Apus
import HTTPTypes
import Testing

struct GzipTests {
    @Test func `the checksum is CRC-32`() {
        #expect(Gzip.checksum([]) == 0)
        #expect(Gzip.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
    }

    @Test(arguments: [0, 1, 100, 70_000])
    func `a member has its header, its checksum and its size`(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let member = Gzip.compress(bytes)
        #expect(member.prefix(3) == [0x1F, 0x8B, 8])
        func value(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) } }
        #expect(value(member.suffix(4)) == UInt32(count))
        #expect(value(member.suffix(8).prefix(4)) == Gzip.checksum(bytes))
        #expect(count < 1000 || member.count < count / 10)
    }

    @Test(arguments: [
        ("gzip", true), ("deflate, gzip;q=1.0, *;q=0.5", true), ("GZIP", true), ("*", true), ("br", false),
        ("gzip;q=0", false), ("gzip; q=0.000", false), ("gzip;q=0.1", true), ("", false),
        ("gzip;q=0, *", false), ("*, gzip;q=0", false), ("*;q=0, gzip", true), ("br, *;q=0", false),
    ])
    func `a client that takes it says so`(field: String, isAccepted: Bool) {
        var request = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/")
        request.headerFields[.acceptEncoding] = field
        #expect(Gzip.isAccepted(by: request) == isAccepted)
    }
}
