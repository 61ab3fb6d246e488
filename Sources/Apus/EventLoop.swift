/// One thread, one libuv loop, and an executor: connections live on it, and so do the tasks of their handlers.
///
/// As a `TaskExecutor` it is a place for tasks: `Task(executorPreference: socket.eventLoop) { … }` runs on the thread
/// that also does the socket's I/O, so nothing hops. Such a task must not block: every connection of the loop would
/// wait. ``serialExecutor`` is the same thread as a home for actors.
public final class EventLoop: TaskExecutor {
    let handle: LoopHandle
    /// The same thread as an actor's executor; the loop must outlive the actor.
    public let serialExecutor: Serial

    /// The loop as the executor of an actor:
    /// `nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }`.
    ///
    /// Two objects, because a job does not tell which of an executor's two roles it was enqueued in, and running a
    /// plain task as if an actor held it costs a hop at its next call.
    public final class Serial: SerialExecutor {
        let handle: LoopHandle

        init(handle: LoopHandle) { self.handle = handle }

        /// Called by the Swift runtime.
        public func enqueue(_ job: consuming ExecutorJob) {
            handle.enqueue(UnownedJob(job), isSerial: true)
        }

        /// Whether the caller is on this loop's thread; traps otherwise.
        public func checkIsolated() {
            precondition(handle.isCurrent, "this is not the event loop's thread")
        }
    }

    /// Starts a loop of its own.
    ///
    /// - Parameter name: shows in debuggers, cut at 15 characters.
    /// - Throws: ``WebSocketError`` with the code `outOfResources`.
    public convenience init(name: String = "apus") throws(WebSocketError) {
        try self.init(name: name, limits: nil)
    }

    /// - Parameter limits: those of a server's configuration; `nil` for the defaults.
    init(name: String, limits: WebSocketServer.Configuration?) throws(WebSocketError) {
        handle = try LoopHandle()
        if let limits { handle.setLimits(limits) }
        serialExecutor = Serial(handle: handle)
        try handle.start(self, name: name)
    }

    /// The loop whose thread this is, as in a handler; `nil` on any other thread.
    public static var current: EventLoop? { LoopHandle.current }

    /// Whether the caller is on this loop's thread.
    public var isCurrent: Bool { handle.isCurrent }

    /// Called by the Swift runtime.
    public func enqueue(_ job: consuming ExecutorJob) {
        handle.enqueue(UnownedJob(job), isSerial: false)
    }

    /// Runs `body` on the loop's thread, soon, in order with the caller's other calls.
    package func post(_ body: @escaping @Sendable () -> Void) {
        handle.post(body)
    }

    /// Runs `body` on the loop's thread and returns its result: at once where the caller is there already.
    package func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        if isCurrent { return body() }
        return await withUnsafeContinuation { continuation in
            post { continuation.resume(returning: body()) }
        }
    }
}
