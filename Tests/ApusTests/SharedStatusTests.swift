@testable import Apus
import Testing

struct SharedStatusTests {
    @Test func `posts are admitted up to a mebibyte`() {
        let status = SharedStatus()
        #expect(status.admitPost(of: 1 << 20) == true)
        #expect(status.admitPost(of: 1) == false)
        status.completePost(of: 1 << 20)
        #expect(status.admitPost(of: 1) == true)
        #expect(status.admitPost(of: 1 << 20) == false)
        #expect(status.admitPost(of: (1 << 20) - 1) == true)
        #expect(status.admitPost(of: 1) == false)
    }

    @Test func `a post of any size is admitted where no other is under way`() {
        let status = SharedStatus()
        #expect(status.admitPost(of: 10 << 20) == true)
        #expect(status.admitPost(of: 10 << 20) == false)
        status.completePost(of: 10 << 20)
        #expect(status.admitPost(of: 10 << 20) == true)
    }

    @Test func `full is what was told last`() {
        let status = SharedStatus()
        #expect(status.isFull == false)
        status.setFull(true)
        #expect(status.isFull == true)
        status.setFull(false)
        #expect(status.isFull == false)
        #expect(status.ending == nil)
    }
}
