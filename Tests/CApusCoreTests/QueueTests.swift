import CApusCore
import Testing

/// A head and some nodes at fixed places.
private final class Nodes {
    let head = UnsafeMutablePointer<apus_queue>.allocate(capacity: 1)
    let nodes: [UnsafeMutablePointer<apus_queue>]

    init(_ count: Int) {
        nodes = (0..<count).map { _ in .allocate(capacity: 1) }
        apus_queue_init(head)
        for node in nodes {
            apus_queue_init(node)
        }
    }

    deinit {
        head.deallocate()
        for node in nodes {
            node.deallocate()
        }
    }

    func append(_ indexes: some Sequence<Int>) {
        for index in indexes {
            apus_queue_append(head, nodes[index])
        }
    }

    /// Takes all nodes out of a queue, as indexes.
    func takeAll(of queue: UnsafeMutablePointer<apus_queue>? = nil) -> [Int] {
        var taken: [Int] = []
        while let node = apus_queue_take(queue ?? head) {
            taken.append(nodes.firstIndex(of: node) ?? -1)
        }
        return taken
    }
}

struct QueueTests {
    @Test func `a queue starts empty, and nothing can be taken`() {
        let queue = Nodes(0)
        #expect(apus_queue_is_empty(queue.head))
        #expect(apus_queue_take(queue.head) == nil)
    }

    @Test func `nodes come out in the order they went in`() {
        let queue = Nodes(5)
        queue.append(0..<5)
        #expect(!apus_queue_is_empty(queue.head))
        #expect(queue.takeAll() == [0, 1, 2, 3, 4])
        #expect(apus_queue_is_empty(queue.head))
    }

    @Test(arguments: 0..<5) func `a node can be removed from anywhere`(removed: Int) {
        let queue = Nodes(5)
        queue.append(0..<5)
        apus_queue_remove(queue.nodes[removed])
        #expect(queue.takeAll() == (0..<5).filter { $0 != removed })
    }

    @Test func `removing a node that is in no queue is harmless`() {
        let queue = Nodes(2)
        queue.append(0..<2)
        apus_queue_remove(queue.nodes[0])
        apus_queue_remove(queue.nodes[0])
        #expect(queue.takeAll() == [1])
    }

    @Test func `a node that was taken can be appended again`() {
        let queue = Nodes(3)
        queue.append(0..<3)
        #expect(apus_queue_take(queue.head) == queue.nodes[0])
        queue.append(0..<1)
        #expect(queue.takeAll() == [1, 2, 0])
    }

    @Test(arguments: 0..<4) func `moving a queue takes all of it along, in order`(count: Int) {
        let queue = Nodes(4)
        let target = Nodes(0)
        queue.append(0..<count)
        apus_queue_move(queue.head, target.head)
        #expect(apus_queue_is_empty(queue.head))
        queue.append(3..<4)
        #expect(queue.takeAll(of: target.head) == Array(0..<count))
        #expect(queue.takeAll() == [3])
    }
}
