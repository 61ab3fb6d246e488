import TestSupport
import Testing

@testable import ApusSocketIO

/// What reaches a `Decodable` type, which compares strings as Swift does.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct JSONDecodingTests {
    private struct Person: Codable { var name: String }
    private enum Kind: String, Codable { case human }
    private enum Shape: Codable { case circle(radius: Int) }

    private static let long = marks(1 << 20)
    private static let keyed = JSON.object(
        .init([.init(key: long, value: 1), .init(key: "name", value: "Ada")]))

    @Test func `a key that is long and not ASCII is refused before anything compares it`() {
        #expect(throws: DecodingError.self) { try Self.keyed.decoded(as: Person.self) }
        #expect(throws: DecodingError.self) { try Self.keyed.decoded(as: Shape.self) }
        #expect(throws: DecodingError.self) { try Self.keyed.decoded(as: [String: JSON].self) }
    }

    @Test func `a value that is compared while it is decoded is refused, and no other is`() throws {
        #expect(throws: DecodingError.self) { try JSON.string(Self.long).decoded(as: Kind.self) }
        #expect(throws: DecodingError.self) { try JSON.array([.string(Self.long)]).decoded(as: Set<String>.self) }
        let person = try JSON.object(.init([.init(key: "name", value: .string(Self.long))])).decoded(as: Person.self)
        #expect(person.name.utf8.count == 1 << 20)
        #expect(try JSON.string(Self.long).decoded(as: String.self).utf8.count == 1 << 20)
        #expect(try JSON.array([.string(Self.long)]).decoded(as: [String].self).count == 1)
        #expect(try Self.keyed.decoded(as: JSON.self).object?.members.count == 2)
    }

    @Test func `long keys of ASCII and short ones of any letters are decoded`() throws {
        let key = String(repeating: "k", count: 1 << 20)
        let object = JSON.object(.init([.init(key: key, value: 1), .init(key: "\u{E9}", value: 2)]))
        #expect(try object.decoded(as: [String: Int].self) == [key: 1, "\u{E9}": 2])
    }

    @Test func `dictionaries with any keys are encoded`() throws {
        // A dictionary hashes its keys, so what is quadratic is its own here, and the key not as long as the others.
        #expect(try JSON(encoding: [marks(1 << 12): 1]).object?.members.count == 1)
    }

    @Test func `an error tells the beginning of what is not as wanted, and no more`() {
        let error = #expect(throws: DecodingError.self) { try JSON.string(Self.long).decoded(as: Int.self) }
        #expect("\(error as Any)".utf8.count < 1000)
    }
}
