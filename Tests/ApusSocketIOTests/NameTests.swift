import Testing

@testable import ApusSocketIO

struct NameTests {
    /// The same letter, written in two ways that Swift's strings take for one.
    private static let twins = ("\u{E9}", "e\u{301}")

    @Test func `names are their bytes, so canonically equivalent ones are different`() {
        let (one, other) = Self.twins
        #expect(one == other)
        #expect(Name(one) != Name(other))
        #expect(Set([Name(one), Name(other), Name(one)]).count == 2)
        #expect(Name("a") < Name("b") && !(Name("b") < Name("a")) && Name("a") < Name("a\u{301}"))
        #expect("\(Name("lobby"))" == "lobby" && Name("lobby") == "lobby")
    }

    // With Swift's comparison each of these would take minutes.
    @Test(.timeLimit(.minutes(1))) func `a mebibyte of combining marks is a key like any other`() {
        let (long, longer) = (marks(1 << 20), marks(1 << 20) + "x")
        var values = [Name(long): 1]
        #expect(values[Name(long)] == 1)
        #expect(values[Name(longer)] == nil)
        values[Name(longer)] = 2
        #expect(values.count == 2)
        #expect(Name(long) < Name(longer))
    }

    @Test(.timeLimit(.minutes(1))) func `JSON finds members and compares values by their bytes`() throws {
        let (one, other) = Self.twins
        var object = JSON.Object([.init(key: one, value: 1), .init(key: other, value: 2)])
        #expect(object[one] == 1 && object[other] == 2)
        object[other] = nil
        #expect(object[one] == 1 && object[other] == nil)
        #expect(JSON.string(one) != .string(other))
        #expect(JSON.object(.init([.init(key: one, value: 1)])) != .object(.init([.init(key: other, value: 1)])))
        let long = marks(1 << 20)
        let value: JSON = .object(.init([.init(key: long, value: .string(long))]))
        #expect(value["x"] == nil && value[long] == .string(long))
        #expect(Set([value, value, .string(long), .string(long + "x")]).count == 3)
    }
}
