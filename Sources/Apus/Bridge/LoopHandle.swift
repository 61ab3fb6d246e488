import CApus

/// Owns an `apus_loop`.
///
/// A class, because the loop and its serial executor share it. The thread hands every job back to ``run(_:)``; a job
/// of the serial executor is told by the lowest bit of its address, which is otherwise zero.
final class LoopHandle: Sendable {
    nonisolated(unsafe) let pointer: OpaquePointer
    /// Set before the thread starts, and never again.
    @exclusivity(unchecked) private nonisolated(unsafe) var executors: Executors?

    private struct Executors {
        let task: UnownedTaskExecutor
        let serial: UnownedSerialExecutor
    }

    /// The loop that owns this handle; it is alive as long as anything runs on it.
    private nonisolated(unsafe) unowned var eventLoop: EventLoop?

    private static let serialBit: UInt = 1

    /// `apus_loop_new`
    init() throws(WebSocketError) {
        guard let pointer = apus_loop_new() else {
            throw WebSocketError(
                .outOfResources, "cannot make an event loop: memory or file descriptors are out (see ulimit -n)")
        }
        self.pointer = pointer
    }

    deinit { apus_loop_free(pointer) }

    /// `apus_loop_set_limits`; before the start.
    func setLimits(_ configuration: WebSocketServer.Configuration) {
        var limits = apus_loop_limits(
            inbox_deliveries: UInt64(configuration.maxPendingDeliveries),
            inbox_bytes: UInt64(configuration.maxPendingBytes),
            turn_deliveries: UInt64(configuration.maxDeliveriesPerTurn),
            turn_bytes: UInt64(configuration.maxDeliveredBytesPerTurn))
        apus_loop_set_limits(pointer, &limits)
    }

    /// What waits in the inbox and what has waited for it. `apus_loop_count`
    private var counts: apus_loop_counts {
        var counts = apus_loop_counts()
        apus_loop_count(pointer, &counts)
        return counts
    }

    /// The memory of the messages that are on their way to the loop.
    var pendingBytes: Int { Int(counts.pending_bytes) }

    /// How many publications have waited for the loop.
    var delayedPublications: Int { Int(counts.delayed) }

    /// `apus_loop_start`
    func start(_ eventLoop: EventLoop, name: String) throws(WebSocketError) {
        self.eventLoop = eventLoop
        executors = Executors(
            task: eventLoop.asUnownedTaskExecutor(),
            serial: eventLoop.serialExecutor.asUnownedSerialExecutor())
        // Unretained: freeing the loop ends the thread first.
        let context = Unmanaged.passUnretained(self).toOpaque()
        apus_loop_set_runner(pointer, LoopHandle.runJob, context)
        let error = apus_loop_start(pointer, name)
        guard error == 0 else {
            throw WebSocketError(.outOfResources, "cannot start a thread: \(String(errno: error))")
        }
    }

    private static let runJob: apus_job_cb = { context, job in
        guard let context else { return }
        Unmanaged<LoopHandle>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.run(job) }
    }

    private func run(_ tagged: UnsafeMutableRawPointer) {
        guard let executors else { return }
        let bits = UInt(bitPattern: tagged)
        let job = unsafeBitCast(bits & ~Self.serialBit, to: UnownedJob.self)
        if bits & Self.serialBit == 0 {
            job.runSynchronously(on: executors.task)
        } else {
            job.runSynchronously(isolatedTo: executors.serial, taskExecutor: executors.task)
        }
    }

    /// `apus_loop_is_current`
    var isCurrent: Bool { apus_loop_is_current(pointer) }

    /// The loop whose thread this is. `apus_loop_current_context`
    static var current: EventLoop? {
        guard let context = apus_loop_current_context() else { return nil }
        return Unmanaged<LoopHandle>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.eventLoop }
    }

    /// The address of the job that runs on the loop now, which for a task's job is the task's own; `nil` between jobs
    /// and on any other thread. `apus_loop_running`
    var runningJob: UnsafeMutableRawPointer? { apus_loop_running(pointer) }

    /// Whether this is the job that runs on the loop now, and we are in it.
    ///
    /// - Parameter job: read on the loop's thread only, and so may be something that only this thread touches.
    func isRunning(_ job: @autoclosure () -> UnsafeMutableRawPointer?) -> Bool {
        guard let running = runningJob else { return false }
        return running == job()
    }

    /// `apus_loop_enqueue`
    func enqueue(_ job: UnownedJob, isSerial: Bool) {
        let bits = unsafeBitCast(job, to: UInt.self) | (isSerial ? Self.serialBit : 0)
        // A job's address is never zero.
        apus_loop_enqueue(pointer, UnsafeMutableRawPointer(bitPattern: bits).unsafelyUnwrapped)
    }

    /// `apus_loop_post`
    func post(_ body: @escaping @Sendable () -> Void) {
        let call = Unmanaged.passRetained(Call(body))
        apus_loop_post(pointer, Call.run, call.toOpaque())
    }

    private final class Call: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }

        static let run: apus_call_cb = { argument in
            guard let argument else { return }
            Unmanaged<Call>.fromOpaque(argument).takeRetainedValue().body()
        }
    }
}

extension UnownedJob {
    /// What ``LoopHandle/runningJob`` is while it runs.
    var address: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: unsafeBitCast(self, to: UInt.self)) }
}

extension String {
    /// The system's words for a negative errno.
    init(errno error: CInt) {
        self = String(cString: apus_socket_error_message(error))
    }
}
