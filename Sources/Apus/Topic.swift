/// A topic: what is published on it goes to every connection that has subscribed.
///
/// A message is framed once for all subscribers, and each event loop gets one reference to it. A subscriber that does
/// not keep up is treated by ``WebSocketServer/Configuration/slowConsumerPolicy``.
///
/// A publisher that is faster than the event loops is held back: ``publish(_:except:)-(String,_)`` suspends, and
/// ``tryPublish(_:except:)-(String,_)`` answers ``PublishResult/full``, until every loop with subscribers has room
/// (``WebSocketServer/Configuration/maxPendingDeliveries``, ``WebSocketServer/Configuration/maxDeliveriesPerTurn``). A
/// message goes to all loops or to none.
///
/// ## Order
///
/// A topic has one order for each publisher: what one task publishes reaches every subscriber in that order. What
/// several tasks publish at once may reach two subscribers in different orders, because a message is handed to the
/// publisher's own event loop at once and to the others through their inboxes. Numbering under a lock does not help:
///
/// ```swift
/// let number = lastNumber.withLock { number in
///     number += 1
///     return number
/// }
/// // Another task may take the next number and publish before this one does.
/// try await topic.publish("\(number)")
/// ```
///
/// Even `tryPublish` under the lock is not enough: on the event loop of a subscriber it delivers at once, before what
/// another thread has published earlier has left that loop's inbox. If all subscribers must see one order, let a single
/// task publish what others give it, by an `AsyncStream` for instance. Channels, which keep one order with a history,
/// are planned.
///
/// A topic lives as long as somebody holds it or has subscribed to it.
public final class Topic: Sendable {
    /// The maximum length of a name that ``WebSocketServer/topic(_:)`` takes, in bytes of UTF-8: 1,024.
    public static let maxNameBytes = 1024

    /// Its name; unique within its server if ``WebSocketServer/topic(_:)`` gave it.
    public let name: String
    let handle: TopicHandle
    /// Kept alive for the handle.
    private let loops: [EventLoop]
    /// What finds it by its name; `nil` if nothing does.
    private let registry: TopicRegistry?

    init(name: String, loops: [EventLoop], registry: TopicRegistry?) {
        self.name = name
        self.loops = loops
        self.registry = registry
        handle = TopicHandle(loops: loops)
        handle.setOwner(self)
        MemoryGauge.add(Self.ownByteCount + name.utf8.count)
    }

    deinit {
        registry?.forget(name, ObjectIdentifier(self))
        MemoryGauge.subtract(Self.ownByteCount + name.utf8.count)
    }

    /// For the gauge, as measured: this object, and its entry in the registry.
    private static let ownByteCount = 256

    /// How many connections are subscribed at present.
    public var subscriberCount: Int { handle.subscriberCount }
}

/// Publishing without waiting.
extension Topic {
    /// Sends a text message to all subscribers, if all their event loops have room for it. Never suspends.
    ///
    /// May be called from any task; what one task publishes arrives in order.
    ///
    /// - Parameter except: a connection that does not get it, often the one whose message it is.
    /// - Returns: ``PublishResult/full`` if nothing was sent to anybody.
    @discardableResult
    public func tryPublish(_ text: String, except: WebSocket? = nil) -> PublishResult {
        text.utf8.span.withUnsafeBytes { handle.publish(isText: true, $0, except: except?.id) }
    }

    /// Sends a binary message to all subscribers; otherwise as ``tryPublish(_:except:)-(String,_)``.
    @discardableResult
    public func tryPublish(_ bytes: [UInt8], except: WebSocket? = nil) -> PublishResult {
        bytes.withUnsafeBytes { handle.publish(isText: false, $0, except: except?.id) }
    }

    /// Sends a message to all subscribers; otherwise as ``tryPublish(_:except:)-(String,_)``.
    @discardableResult
    public func tryPublish(_ message: Message, except: WebSocket? = nil) -> PublishResult {
        switch message {
        case .text(let text): tryPublish(text, except: except)
        case .binary(let bytes):
            bytes.withUnsafeBytes { handle.publish(isText: false, $0, except: except?.id) }
        }
    }

    /// Sends a message that came in to all subscribers; otherwise as ``tryPublish(_:except:)-(String,_)``.
    @discardableResult
    public func tryPublish(_ message: borrowing BorrowedMessage, except: WebSocket? = nil) -> PublishResult {
        let isText = message.isText
        return message.bytes.withUnsafeBytes { handle.publish(isText: isText, $0, except: except?.id) }
    }
}

/// Publishing by a task, which waits while an event loop is full.
extension Topic {
    /// Sends a text message to all subscribers.
    ///
    /// Suspends only while an event loop with subscribers has no room for another message, and never for a subscriber
    /// that reads slowly. Tasks that wait go on in the order in which they began to. May be called from any task; what
    /// one task publishes arrives in order.
    ///
    /// - Parameter except: a connection that does not get it, often the one whose message it is.
    /// - Throws: ``WebSocketError`` with the code `cancelled` if the task was cancelled while it waited; then nothing
    ///   was sent to anybody.
    @inlinable
    @inline(__always)
    @concurrent
    public func publish(_ text: String, except: WebSocket? = nil) async throws(WebSocketError) {
        if tryPublish(text, except: except) == .published { return }
        try await publishWaiting(.text(text), except: except)
        await settle()
    }

    /// Sends a binary message to all subscribers; otherwise as ``publish(_:except:)-(String,_)``.
    @inlinable
    @inline(__always)
    @concurrent
    public func publish(_ bytes: [UInt8], except: WebSocket? = nil) async throws(WebSocketError) {
        if tryPublish(bytes, except: except) == .published { return }
        try await publishWaiting(.binary(bytes), except: except)
        await settle()
    }

    /// Sends a message to all subscribers; otherwise as ``publish(_:except:)-(String,_)``.
    @inlinable
    @inline(__always)
    @concurrent
    public func publish(_ message: Message, except: WebSocket? = nil) async throws(WebSocketError) {
        if tryPublish(message, except: except) == .published { return }
        try await publishWaiting(message, except: except)
        await settle()
    }

    /// Publishes what had no room at first.
    @usableFromInline
    func publishWaiting(_ message: Message, except: WebSocket?) async throws(WebSocketError) {
        try await Publication([message]).publish(on: self, except: except)
    }
}

extension WebSocket {
    /// Subscribes to a topic of the same server, until the connection ends or ``unsubscribe(from:)``.
    ///
    /// What is published after this has returned arrives, and nothing that was published before. Subscribing twice is
    /// subscribing once; on a connection that is closed it does nothing. Suspends only on other event loops than the
    /// connection's.
    ///
    /// - Throws: ``WebSocketError``: `invalidArgument` if the topic belongs to another server, or this is a client's
    ///   end; `outOfResources`.
    public func subscribe(to topic: Topic) async throws(WebSocketError) {
        try await eventLoop.run { topic.handle.subscribe(self) }.get()
    }

    /// The same at once; on the connection's loop.
    package func subscribeNow(to topic: Topic) throws(WebSocketError) { try topic.handle.subscribe(self).get() }

    /// ``unsubscribe(from:)`` at once; on the connection's loop.
    package func unsubscribeNow(from topic: Topic) { topic.handle.unsubscribe(self) }

    /// Ends a subscription. What is published after this has returned does not arrive.
    public func unsubscribe(from topic: Topic) async {
        await eventLoop.run { topic.handle.unsubscribe(self) }
    }
}
