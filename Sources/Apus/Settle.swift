/// Ends the slow way of an inlined async function: behind it the compiler knows again which executor the task is on.
///
/// Where the slow way and the quick one meet, the compiler must otherwise assume that the task may be anywhere, and
/// makes the quick one hop as well.
@inlinable
@inline(__always)
@concurrent
func settle() async {
    await withUnsafeContinuation { $0.resume() }
}
