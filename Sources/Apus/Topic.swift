/// A topic: what is published on it goes to every connection that has subscribed.
///
/// A message is framed once for all subscribers, and each event loop gets one reference to it. One that does not fit
/// into a subscriber's outbound queue is treated by ``WebSocketServer/Configuration/slowConsumerPolicy``; publishing
/// itself never waits.
public final class Topic: Sendable {
    /// Its name, unique within its server.
    public let name: String
    let handle: TopicHandle
    /// Kept alive for the handle.
    private let loops: [EventLoop]

    init(name: String, loops: [EventLoop]) {
        self.name = name
        self.loops = loops
        handle = TopicHandle(loops: loops)
    }

    /// Sends a text message to all subscribers.
    ///
    /// Never suspends, and may be called from any task; what one task publishes arrives in order.
    ///
    /// - Parameter except: a connection that does not get it, often the one whose message it is.
    public func publish(_ text: String, except: WebSocket? = nil) {
        text.utf8.span.withUnsafeBytes { handle.publish(isText: true, $0, except: except?.id) }
    }

    /// Sends a binary message to all subscribers; else as ``publish(_:except:)-(String,_)``.
    public func publish(_ bytes: [UInt8], except: WebSocket? = nil) {
        bytes.withUnsafeBytes { handle.publish(isText: false, $0, except: except?.id) }
    }

    /// Sends a message to all subscribers; else as ``publish(_:except:)-(String,_)``.
    public func publish(_ message: Message, except: WebSocket? = nil) {
        switch message {
        case .text(let text): publish(text, except: except)
        case .binary(let bytes):
            bytes.withUnsafeBytes { handle.publish(isText: false, $0, except: except?.id) }
        }
    }

    /// Sends a message that came in to all subscribers; else as ``publish(_:except:)-(String,_)``.
    public func publish(_ message: borrowing BorrowedMessage, except: WebSocket? = nil) {
        let isText = message.isText
        message.bytes.withUnsafeBytes { handle.publish(isText: isText, $0, except: except?.id) }
    }

    /// How many connections are subscribed at present.
    public var subscriberCount: Int { handle.subscriberCount }
}

extension WebSocket {
    /// Subscribes to a topic of the same server, until the connection ends or ``unsubscribe(from:)``.
    ///
    /// What is published after this has returned arrives, and nothing that was published before. Subscribing twice is
    /// subscribing once; on a connection that is closed it does nothing.
    public func subscribe(to topic: Topic) async {
        await eventLoop.run { topic.handle.subscribe(self) }
    }

    /// The same at once; on the connection's loop.
    package func subscribeNow(to topic: Topic) { topic.handle.subscribe(self) }

    /// ``unsubscribe(from:)`` at once; on the connection's loop.
    package func unsubscribeNow(from topic: Topic) { topic.handle.unsubscribe(self) }

    /// Ends a subscription. What is published after this has returned does not arrive.
    public func unsubscribe(from topic: Topic) async {
        await eventLoop.run { topic.handle.unsubscribe(self) }
    }
}
