import Testing

@testable import Chat

@Suite struct PastTests {
    private func page(_ ids: Int64..., more: Bool) -> Page {
        let messages = ids.map { ChatMessage(id: $0, room: "Tea", name: "Ann", text: "x", at: 0, key: "\($0)") }
        return Page(messages: messages, more: more)
    }

    @Test func `without an id the past is one page of the newest, which says whether there are older ones`() {
        var past = Past(room: "Tea", after: nil, newest: 9)
        #expect(past.position == .end)
        let page = past.next(page(8, 9, more: true))
        #expect(page.reason == .join)
        #expect(page.older == true)
        #expect(page.done == true)
    }

    @Test func `after an id the past is all that follows, the last page being done`() {
        var past = Past(room: "Tea", after: 3, newest: 9)
        #expect(past.position == .after(3))
        let first = past.next(page(5, 6, more: true))
        #expect(first.reason == .catchUp)
        #expect(first.older == nil)
        #expect(first.done == false)
        #expect(past.position == .after(6))
        #expect(past.next(page(9, more: false)).done == true)
    }

    @Test func `when nothing came meanwhile the past is one empty page`() {
        var past = Past(room: "Tea", after: 9, newest: 9)
        let page = past.next(page(more: false))
        #expect(page.reason == .catchUp)
        #expect(page.messages.isEmpty)
        #expect(page.done == true)
    }

    @Test func `an id that was never given out means another database, so the newest are told`() {
        #expect(Past(room: "Tea", after: 10, newest: 9).position == .end)
    }

    @Test func `an empty room's past after 0 is a catch-up`() {
        #expect(Past(room: "Tea", after: 0, newest: 0).position == .after(0))
    }
}
