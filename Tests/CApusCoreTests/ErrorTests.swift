import CApusCore
import Testing

struct ErrorTests {
    private static let unknownName = "unknown"

    /// Every error that has a name.
    private static var all: [Int32] {
        (-1000...1000).filter { String(cString: apus_error_name($0)) != unknownName && $0 != APUS_OK.rawValue }
    }

    @Test func `every error is negative, and has a name and words of its own`() {
        let all = Self.all
        #expect(all.count >= 20)
        #expect(all.allSatisfy { $0 < 0 })
        #expect(Set(all.map { String(cString: apus_error_name($0)) }).count == all.count)
        #expect(Set(all.map { String(cString: apus_error_message($0)) }).count == all.count)
    }

    @Test func `every code is a close code, an HTTP status of a failure, or none`() {
        for error in Self.all {
            let code = apus_error_code(error)
            #expect(code == 0 || (400...599).contains(code) || (1001...1014).contains(code))
        }
    }

    @Test func `no code is one that never goes over the wire`() {
        // RFC 6455 §7.4.1: 1004 is reserved, 1005 and 1006 are for the application's eyes only.
        #expect(Self.all.map(apus_error_code).allSatisfy { ![1004, 1005, 1006].contains($0) })
    }

    @Test(arguments: [
        (APUS_EPROTO, "EPROTO", 1002), (APUS_EUTF8, "EUTF8", 1007), (APUS_ETOOBIG, "ETOOBIG", 1009),
        (APUS_ENOMEM, "ENOMEM", 1011), (APUS_EHEAD, "EHEAD", 400), (APUS_EHEADSIZE, "EHEADSIZE", 431),
        (APUS_EHTTPVERSION, "EHTTPVERSION", 505), (APUS_EMETHOD, "EMETHOD", 405), (APUS_EVERSION, "EVERSION", 426),
        (APUS_EORIGIN, "EORIGIN", 403), (APUS_EFULL, "EFULL", 0), (APUS_EINVAL, "EINVAL", 0),
    ])
    func `an error has its name and its code`(error: apus_error, name: String, code: UInt16) {
        #expect(String(cString: apus_error_name(error.rawValue)) == name)
        #expect(apus_error_code(error.rawValue) == code)
    }

    @Test func `success has a name, words and no code`() {
        #expect(String(cString: apus_error_name(APUS_OK.rawValue)) == "OK")
        #expect(String(cString: apus_error_message(APUS_OK.rawValue)) == "no error")
        #expect(apus_error_code(APUS_OK.rawValue) == 0)
    }

    @Test(arguments: [Int32.min, -999, 1, Int32.max])
    func `a number that is no error has words for that and no code`(number: Int32) {
        #expect(String(cString: apus_error_name(number)) == Self.unknownName)
        #expect(String(cString: apus_error_message(number)) == "unknown error")
        #expect(apus_error_code(number) == 0)
    }
}
