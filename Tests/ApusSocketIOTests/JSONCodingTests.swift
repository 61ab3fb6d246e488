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

    @Test func `an error says where`() throws {
        let error = try #require(throws: DecodingError.self) {
            try (["friends": [["name": 5]]] as JSON).decoded(as: [String: [[String: String]]].self)
        }
        guard case .typeMismatch(_, let context) = error else { throw error }
        #expect(context.codingPath.map(\.stringValue) == ["friends", "Index 0", "name"])
    }
}
