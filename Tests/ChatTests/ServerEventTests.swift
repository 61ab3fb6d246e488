import Foundation
import Testing

@testable import Chat

@Suite struct ServerEventTests {
    private static let message = ChatMessage(
        id: 12, room: "Tea", name: "Ann", text: "a/b <i> \"你好\"", at: 1_700_000_000_123, key: "k")
    private static let messageJSON =
        #"{"id":12,"room":"Tea","name":"Ann","text":"a/b <i> \"你好\"","at":1700000000123,"key":"k"}"#

    @Test(arguments: [
        (
            ServerEvent.welcome(name: "Ann", member: 3, rooms: [RoomSummary(name: "Tea", members: 2)]),
            #"{"type":"welcome","name":"Ann","member":3,"rooms":[{"name":"Tea","members":2}],"textLimit":4000}"#
        ),
        (.rooms([]), #"{"type":"rooms","rooms":[]}"#),
        (
            .roomChanges([RoomSummary(name: "Tea", members: 2)], gone: ["Tee"]),
            #"{"type":"room-changes","rooms":[{"name":"Tea","members":2}],"gone":["Tee"]}"#
        ),
        (
            .history(HistoryPage(room: "Tea", messages: [message], reason: .join, older: true, done: true)),
            #"{"type":"history","room":"Tea","messages":[\#(messageJSON)],"reason":"join","older":true,"done":true}"#
        ),
        (
            .history(HistoryPage(room: "Tea", messages: [], reason: .catchUp, older: nil, done: false)),
            #"{"type":"history","room":"Tea","messages":[],"reason":"catch-up","done":false}"#
        ),
        (
            .history(HistoryPage(room: "Tea", messages: [], reason: .back, older: false, done: nil)),
            #"{"type":"history","room":"Tea","messages":[],"reason":"back","older":false}"#
        ),
        (.message(message), #"{"type":"message","message":\#(messageJSON)}"#),
        (.sent(key: "k", id: 12, at: 5), #"{"type":"sent","key":"k","id":12,"at":5}"#),
        (
            .members(room: "Tea", members: [MemberSummary(member: 3, name: "Ann")]),
            #"{"type":"members","room":"Tea","members":[{"member":3,"name":"Ann"}]}"#
        ),
        (
            .typing(room: "Tea", member: 3, name: "Ann"), #"{"type":"typing","room":"Tea","member":3,"name":"Ann"}"#
        ),
        (
            .found(query: "你", SearchResult(messages: [message], isComplete: false)),
            #"{"type":"found","query":"你","messages":[\#(messageJSON)],"complete":false}"#
        ),
        (.named("Bo"), #"{"type":"named","name":"Bo"}"#),
        (
            .error(Refusal(.tooLong, "shorter", key: "k")),
            #"{"type":"error","code":"too-long","words":"shorter","key":"k"}"#
        ),
        (.error(Refusal(.noSuchRoom, "no")), #"{"type":"error","code":"no-such-room","words":"no"}"#),
    ])
    func `every type of the protocol encodes with exactly its members`(event: ServerEvent, json: String) throws {
        #expect(try object(event.json) == object(json))
    }

    @Test(arguments: [
        (Refusal.Code.badRequest, "bad-request"), (.badName, "bad-name"), (.noSuchRoom, "no-such-room"),
        (.tooLong, "too-long"), (.tooManyRooms, "too-many-rooms"), (.tooFast, "too-fast"),
        (.unavailable, "unavailable"),
    ])
    func `an error's code is written with hyphens`(code: Refusal.Code, written: String) throws {
        #expect(try Heard(ServerEvent.error(Refusal(code, "")).json).code == written)
    }

    private func object(_ json: String) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? NSDictionary)
    }
}
