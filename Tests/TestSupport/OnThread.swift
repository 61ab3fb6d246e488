import Glibc

/// Runs a script that blocks on a thread of its own: Swift's pool has as many threads as the machine has cores, and
/// none of them may wait for a peer.
///
/// The script is a part of the calling task, so what it expects counts for the test that runs it.
public func onThread<T: Sendable>(_ script: @escaping @Sendable () throws -> T) async throws -> T {
    try await withTaskExecutorPreference(ThreadPerJob.shared) { try script() }
}

/// Gives every job a thread of its own.
final class ThreadPerJob: TaskExecutor {
    static let shared = ThreadPerJob()

    private final class Work: Sendable {
        let job: UnownedJob

        init(_ job: UnownedJob) { self.job = job }

        func run() { job.runSynchronously(on: ThreadPerJob.shared.asUnownedTaskExecutor()) }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let work = Unmanaged.passRetained(Work(UnownedJob(job)))
        var thread = pthread_t()
        let failure = pthread_create(&thread, nil, Self.runWork, work.toOpaque())
        precondition(failure == 0, "no thread for a test's client: \(String(cString: strerror(failure)))")
        pthread_detach(thread)
    }

    private static let runWork: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { work in
        if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().run() }
        return nil
    }
}
