import Synchronization

/// The topics of a server that somebody holds or has subscribed to, by their names.
final class TopicRegistry: Sendable {
    private let entries = Mutex<[TopicName: Entry]>([:])

    private final class Entry {
        private(set) weak var topic: Topic?
        /// Tells topics of one name apart without a reference to any of them.
        let identity: ObjectIdentifier

        init(_ topic: Topic) {
            self.topic = topic
            identity = ObjectIdentifier(topic)
        }
    }

    /// The topic of that name, which is made if there is none.
    func topic(_ name: String, make: () -> Topic) -> Topic {
        entries.withLock { entries in
            let name = TopicName(name)
            if let topic = entries[name]?.topic { return topic }
            let topic = make()
            entries[name] = Entry(topic)
            return topic
        }
    }

    /// A topic ends. Another one of that name may have come meanwhile.
    ///
    /// No reference to that one is taken: it could become the last, and its end would call this under the lock.
    func forget(_ name: String, _ identity: ObjectIdentifier) {
        entries.withLock { entries in
            let name = TopicName(name)
            if entries[name]?.identity == identity { entries[name] = nil }
        }
    }

    /// How many topics are known.
    var count: Int { entries.withLock { $0.count } }
}

/// A name that may come from a peer: compared and hashed by its bytes, in time that grows with their number.
///
/// `String` compares what is canonically equivalent, which takes quadratic time for certain texts.
private struct TopicName: Hashable {
    private let text: String

    init(_ text: String) { self.text = text }

    func hash(into hasher: inout Hasher) {
        text.utf8.span.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    static func == (left: Self, right: Self) -> Bool {
        left.text.utf8.count == right.text.utf8.count && left.text.utf8.elementsEqual(right.text.utf8)
    }
}
