import CApusInternals

/// A timer wheel and its timers; the wheel tells C's callback, and this tells it to a closure.
final class Wheel {
    let pointer: UnsafeMutablePointer<apus_wheel>
    private(set) var timers: [Timer] = []

    /// One timer, as C sees it, with its way back behind it.
    fileprivate struct Entry {
        var timer: apus_timer
        let owner: Unmanaged<Timer>
    }

    final class Timer {
        fileprivate let entry: UnsafeMutablePointer<Entry>
        /// What to do when it fires.
        var onFire: () -> Void = {}
        /// The ticks at which it has fired.
        fileprivate(set) var fired: [UInt64] = []
        private unowned let wheel: Wheel

        fileprivate init(_ wheel: Wheel) {
            self.wheel = wheel
            entry = .allocate(capacity: 1)
            entry.initialize(to: Entry(timer: apus_timer(), owner: .passUnretained(self)))
            apus__timer_init(timer) { timer in
                guard let timer else { return }
                let entry = UnsafeMutableRawPointer(timer).assumingMemoryBound(to: Entry.self)
                entry.pointee.owner.takeUnretainedValue().fire()
            }
        }

        deinit { entry.deallocate() }

        fileprivate var timer: UnsafeMutablePointer<apus_timer> {
            UnsafeMutableRawPointer(entry).assumingMemoryBound(to: apus_timer.self)
        }

        private func fire() {
            fired.append(wheel.now)
            onFire()
        }

        func arm(_ delay: UInt64) { apus__wheel_arm(wheel.pointer, timer, delay) }

        func disarm() { apus__wheel_disarm(wheel.pointer, timer) }

        var isArmed: Bool { timer.pointee.deadline != 0 }
    }

    init() {
        pointer = .allocate(capacity: 1)
        apus__wheel_init(pointer)
    }

    deinit { pointer.deallocate() }

    var now: UInt64 { pointer.pointee.now }

    var armed: Int { Int(pointer.pointee.armed) }

    func makeTimer() -> Timer {
        let timer = Timer(self)
        timers.append(timer)
        return timer
    }

    func advance(to tick: UInt64) { apus__wheel_advance(pointer, tick) }
}
