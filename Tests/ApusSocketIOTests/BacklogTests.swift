import Testing

@testable import ApusSocketIO

struct BacklogTests {
    @Test func `reading stops past the soft limit and goes on at half of it`() {
        var backlog = Backlog(softLimit: 100, hardLimit: 1000)
        #expect(backlog.begin(100) && !backlog.mustWait)
        #expect(backlog.begin(1) && backlog.mustWait && !backlog.mayGoOn)
        backlog.end(50)
        #expect(!backlog.mustWait && !backlog.mayGoOn)
        backlog.end(1)
        #expect(backlog.mayGoOn)
    }

    @Test func `an acknowledgement that is due is read past the soft limit`() {
        var backlog = Backlog(softLimit: 100, hardLimit: 1000)
        _ = backlog.begin(101)
        backlog.acknowledgementsDue += 2
        #expect(!backlog.mustWait && backlog.mayGoOn)
        backlog.acknowledgementsDue -= 1
        #expect(!backlog.mustWait)
        backlog.acknowledgementsDue -= 1
        #expect(backlog.mustWait && !backlog.mayGoOn)
    }

    @Test func `a pong that is due is read past the soft limit`() {
        var backlog = Backlog(softLimit: 100, hardLimit: 1000)
        _ = backlog.begin(101)
        backlog.isPongDue = true
        #expect(!backlog.mustWait && backlog.mayGoOn)
        backlog.isPongDue = false
        #expect(backlog.mustWait)
    }

    @Test func `what comes past the hard limit has no room, but one packet always has`() {
        var backlog = Backlog(softLimit: 100, hardLimit: 1000)
        #expect(backlog.begin(5000) == true)
        #expect(!backlog.hasRoom(for: 1) && !backlog.begin(1))
        backlog.end(5000)
        #expect(backlog.begin(101) && backlog.begin(899))
        #expect(backlog.begin(1) == false)
        #expect(backlog.bytes == 1000)
    }
}
