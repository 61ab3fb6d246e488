@testable import Apus
import HTTPTypes
import Testing

/// RFC 9110 §13.2.2.
struct PreconditionTests {
    private static let changed = 784_111_777
    private static let (before, at, after) = (
        "Sun, 06 Nov 1994 08:49:36 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"
    )

    struct Case: Sendable, CustomTestStringConvertible {
        let fields: [(HTTPField.Name, String)]
        let result: Apus.Precondition.Result
        var testDescription: String { "\(fields.map { "\($0.0): \($0.1)" }) → \(result)" }

        init(_ result: Apus.Precondition.Result, _ fields: (HTTPField.Name, String)...) {
            self.fields = fields
            self.result = result
        }
    }

    static let cases = [
        Case(.pass),
        Case(.pass, (.ifMatch, "\"x\"")), Case(.pass, (.ifMatch, "*")), Case(.pass, (.ifMatch, "\"a\", \"x\"")),
        Case(.failed, (.ifMatch, "\"a\"")), Case(.failed, (.ifMatch, "W/\"x\"")), Case(.failed, (.ifMatch, "x")),
        Case(.failed, (.ifMatch, "")),
        Case(.pass, (.ifMatch, "\"a\""), (.ifMatch, "\"x\"")),
        Case(.notModified, (.ifNoneMatch, "\"x\"")), Case(.notModified, (.ifNoneMatch, "W/\"x\"")),
        Case(.notModified, (.ifNoneMatch, "*")), Case(.pass, (.ifNoneMatch, "\"a\"")),
        Case(.notModified, (.ifNoneMatch, "\"a\""), (.ifNoneMatch, "\"x\"")),
        Case(.failed, (.ifUnmodifiedSince, before)), Case(.pass, (.ifUnmodifiedSince, at)),
        Case(.pass, (.ifUnmodifiedSince, after)), Case(.pass, (.ifUnmodifiedSince, "yesterday")),
        Case(.pass, (.ifModifiedSince, before)), Case(.notModified, (.ifModifiedSince, at)),
        Case(.notModified, (.ifModifiedSince, after)), Case(.pass, (.ifModifiedSince, "tomorrow")),
        Case(.pass, (.ifModifiedSince, after), (.ifModifiedSince, after)),
        // If-Match is looked at first, and takes the place of If-Unmodified-Since.
        Case(.failed, (.ifMatch, "\"a\""), (.ifNoneMatch, "\"x\"")),
        Case(.failed, (.ifMatch, "\"a\""), (.ifModifiedSince, after)),
        Case(.pass, (.ifMatch, "\"x\""), (.ifUnmodifiedSince, before)),
        Case(.failed, (.ifUnmodifiedSince, before), (.ifNoneMatch, "\"x\"")),
        Case(.notModified, (.ifMatch, "\"x\""), (.ifNoneMatch, "\"x\"")),
        // If-None-Match takes the place of If-Modified-Since.
        Case(.pass, (.ifNoneMatch, "\"a\""), (.ifModifiedSince, after)),
        Case(.notModified, (.ifNoneMatch, "\"x\""), (.ifModifiedSince, before)),
        // Range is not supported, and If-Range neither.
        Case(.pass, (.range, "bytes=0-1"), (.ifRange, "\"a\"")),
    ]

    private static func evaluate(_ given: Case, lastModified: Int?) -> Apus.Precondition.Result {
        var fields = HTTPFields()
        for (name, value) in given.fields { fields.append(HTTPField(name: name, value: value)) }
        return Apus.Precondition.evaluate(fields, entityTag: "\"x\"", lastModified: lastModified, now: changed)
    }

    @Test(arguments: cases) func `conditions are evaluated in their order`(_ given: Case) {
        #expect(Self.evaluate(given, lastModified: Self.changed) == given.result)
    }

    @Test(arguments: cases) func `where the time of the last change is not known, conditions on it are ignored`(
        _ given: Case
    ) {
        let known = Case(given.result).result
        let onTags = given.fields.filter { $0.0 == .ifMatch || $0.0 == .ifNoneMatch }
        let result = Self.evaluate(given, lastModified: nil)
        if onTags.isEmpty {
            #expect(result == .pass)
        } else if onTags.count == given.fields.count {
            #expect(result == known)
        }
    }
}
