#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// As many event loops as the system has cores online.
let defaultThreads = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
