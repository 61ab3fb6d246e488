import Apus
import Foundation
import Testing

@testable import ApusSocketIO

struct JSONCodingTests {
    private struct Person: Codable, Hashable {
        var name: String
        var age: Int?
        var tags: [String]
        var scores: [String: Double]
        var picture: [UInt8]
        var kind: Kind
        var friends: [Person]
    }

    private enum Kind: String, Codable { case human, robot }

    private static let ada = Person(
        name: "Ada", age: nil, tags: [], scores: ["x": 1.5], picture: [1, 2], kind: .robot,
        friends: [Person(name: "Bob", age: 7, tags: ["t"], scores: [:], picture: [], kind: .human, friends: [])])

    @Test func `a value comes back from its JSON`() throws {
        let json = try JSON(encoding: Self.ada)
        #expect(json["picture"] == .binary([1, 2]))
        #expect(json["tags"] == [])
        #expect(json["age"] == nil)
        #expect(try json.decoded(as: Person.self) == Self.ada)
    }

    @Test func `keys are written in the order of their declaration`() throws {
        struct Point: Encodable {
            let z = 1
            let a = 2.0
            let m = true
        }
        #expect("\(try JSON(encoding: Point()))" == #"{"z":1,"a":2,"m":true}"#)
    }

    @Test func `simple values are what they are`() throws {
        #expect(try JSON(encoding: "x") == "x")
        #expect(try JSON(encoding: UInt64.max) == .number(JSON.Number(UInt64.max)))
        #expect("\(try JSON(encoding: [0.1, 1, -2.5, 1e300]))" == "[0.1,1,-2.5,1e+300]")
        #expect(try JSON(encoding: String?.none) == .null)
        #expect(try JSON(encoding: String?.some("x")) == "x")
        #expect(try JSON(encoding: [UInt8]()) == .binary([]))
        #expect(try JSON(encoding: [String]()) == [])
        #expect(try JSON(encoding: [[1, 2], []]) == [[1, 2], []])
        let json: JSON = ["raw": [1, nil]]
        #expect(try JSON(encoding: [json]) == [json])
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func `JSON has no word for it`(number: Double) {
        #expect(throws: EncodingError.self) { try JSON(encoding: number) }
        #expect(throws: EncodingError.self) { try JSON(encoding: ["x": number]) }
    }

    @Test func `whole numbers are whole in any form, and must fit`() throws {
        #expect(try JSON.number(JSON.Number(checked: "1.0")).decoded(as: Int.self) == 1)
        #expect(try JSON.number(JSON.Number(checked: "1e3")).decoded(as: UInt16.self) == 1000)
        for (text, type) in [("256", UInt8.self), ("-1", UInt8.self), ("1.5", Int8.self)]
            as [(String, any Decodable.Type)]
        {
            let json = JSON.number(JSON.Number(checked: text))
            #expect(throws: DecodingError.self) { try json.decoded(as: type) }
        }
    }

    @Test func `null is nil, and nothing else is`() throws {
        #expect(try JSON.null.decoded(as: Int?.self) == nil)
        #expect(try ("x" as JSON).decoded(as: String?.self) == "x")
        #expect(try (5 as JSON).decoded(as: Int?.self) == 5)
        #expect(try JSON.binary([1]).decoded(as: [UInt8]?.self) == [1])
        #expect(throws: DecodingError.self) { try JSON.null.decoded(as: Int.self) }
        #expect(throws: DecodingError.self) { try ("5" as JSON).decoded(as: Int?.self) }
    }

    @Test func `bytes also come as an array of numbers`() throws {
        #expect(try ([1, 255] as JSON).decoded(as: [UInt8].self) == [1, 255])
        #expect(throws: DecodingError.self) { try ([256] as JSON).decoded(as: [UInt8].self) }
    }

    private struct Report: Codable, Hashable {
        var time: Date
        var times: [Date?]
        var content: Data
        var parts: [String: Data]
        var bytes: [Bytes]
        var place: URL
        var price: Decimal
        var nested: [[UInt8]]
    }

    @Test func `dates are texts, and bytes are attachments, wherever they stand, and come back`() throws {
        let time = Date(timeIntervalSince1970: 1_700_000_000.123)
        let report = Report(
            time: time, times: [time, nil], content: Data([1, 2]), parts: ["a": Data()], bytes: [[3], []],
            place: try #require(URL(string: "https://example.org/a?b")), price: try #require(Decimal(string: "12.30")),
            nested: [[4], []])
        let json = try JSON(encoding: report)
        let text =
            #"{"time":"2023-11-14T22:13:20.123Z","times":["2023-11-14T22:13:20.123Z",null],"#
            + #""content":{"_placeholder":true,"num":0},"parts":{"a":{"_placeholder":true,"num":1}},"#
            + #""bytes":[{"_placeholder":true,"num":2},{"_placeholder":true,"num":3}],"#
            + #""place":"https://example.org/a?b","price":12.3,"#
            + #""nested":[{"_placeholder":true,"num":4},{"_placeholder":true,"num":5}]}"#
        #expect("\(json)" == text)
        var again = try json.decoded(as: Report.self)
        // A Double has more digits than milliseconds have.
        #expect(abs(again.time.timeIntervalSince(time)) < 0.001)
        (again.time, again.times) = (time, [time, nil])
        #expect(again == report)
        #expect(try JSON(encoding: time) == "2023-11-14T22:13:20.123Z")
        #expect(try JSON(encoding: Data([1])) == .binary([1]))
        #expect(try JSON(encoding: Bytes([1])) == .binary([1]))
    }

    @Test func `a date is read from milliseconds, too, and bytes from an array of numbers`() throws {
        let date = try JSON.number(JSON.Number(1_700_000_000_500)).decoded(as: Date.self)
        #expect(date == Date(timeIntervalSince1970: 1_700_000_000.5))
        #expect(try ([1, 255] as JSON).decoded(as: Data.self) == Data([1, 255]))
        #expect(try ([1, 255] as JSON).decoded(as: Bytes.self) == [1, 255])
        for json: JSON in ["yesterday", true, .null, .binary([1]), [1]] {
            #expect(throws: DecodingError.self) { try json.decoded(as: Date.self) }
        }
        #expect(throws: DecodingError.self) { try ("text" as JSON).decoded(as: Data.self) }
        #expect(throws: DecodingError.self) { try ("1.5" as JSON).decoded(as: Decimal.self) }
        #expect(throws: DecodingError.self) { try (5 as JSON).decoded(as: URL.self) }
    }

    @Test func `a date that JavaScript does not have is null, as of an invalid one there`() throws {
        #expect(try JSON(encoding: Date(timeIntervalSince1970: 8.65e12)) == .null)
        #expect(try JSON(encoding: [Date(timeIntervalSince1970: -8.64e12)]) == ["-271821-04-20T00:00:00.000Z"])
        #expect(try JSON(encoding: Decimal.nan) == .null)
    }

    @Test func `an error says where`() throws {
        let error = try #require(throws: DecodingError.self) {
            try (["friends": [["name": 5]]] as JSON).decoded(as: [String: [[String: String]]].self)
        }
        guard case .typeMismatch(_, let context) = error else { throw error }
        #expect(context.codingPath.map(\.stringValue) == ["friends", "Index 0", "name"])
    }
}
