#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How much memory this process may use: the least of what its control groups, its resource limits and the machine
/// leave it.
enum AllowedMemory {
    /// The bytes that this process may use; read from the system at each call.
    static var current: Int {
        bytes(
            readFile: { path in (try? FileSystem.contents(of: path)).map { String(decoding: $0, as: UTF8.self) } },
            limits: [resourceLimit(addressSpace), resourceLimit(dataSegment)], physical: physical)
    }

    /// Half of it: the other half is for what handlers keep, and for what the C library has not given back.
    static var defaultBudget: Int { max(leastBudget, current / 2) }

    /// Less than this leaves no room for the buffers of the event loops.
    static let leastBudget = 16 << 20

    /// - Parameters:
    ///   - readFile: gives a file's text; `nil` where there is no such file.
    ///   - limits: of resources; `nil` where there is none.
    ///   - physical: the machine's memory.
    static func bytes(readFile: (String) -> String?, limits: [Int?], physical: Int) -> Int {
        let groups = controlGroups(readFile("/proc/self/cgroup") ?? "")
        let groupLimits = groups.flatMap { group in
            // A limit of a parent holds for its children, too.
            ancestors(of: group.path).compactMap { path in
                readFile(group.root + path + "/" + group.file).flatMap(number)
            }
        }
        return (groupLimits + limits.compactMap(\.self) + [physical]).min() ?? physical
    }

    private struct ControlGroup {
        let root: String
        let path: String
        let file: String
    }

    /// Lines such as `0::/app` (version 2) and `9:memory:/app` (version 1).
    private static func controlGroups(_ text: String) -> [ControlGroup] {
        text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            let path = String(fields[2])
            if fields[0] == "0" && fields[1].isEmpty {
                return ControlGroup(root: "/sys/fs/cgroup", path: path, file: "memory.max")
            }
            guard fields[1].split(separator: ",").contains("memory") else { return nil }
            return ControlGroup(root: "/sys/fs/cgroup/memory", path: path, file: "memory.limit_in_bytes")
        }
    }

    /// `/a/b`, `/a` and the root, which is empty.
    private static func ancestors(of path: String) -> [String] {
        let names = path.split(separator: "/")
        return (0...names.count).map { count in names.prefix(count).map { "/" + $0 }.joined() }
    }

    /// `max` is no limit; version 1 says that with a number near 2^63.
    private static func number(_ text: String) -> Int? {
        Int(text.prefix { $0 != "\n" })
    }

    #if os(Linux)
        private static let addressSpace = __rlimit_resource_t(RLIMIT_AS.rawValue)
        private static let dataSegment = __rlimit_resource_t(RLIMIT_DATA.rawValue)
    #else
        private static let addressSpace = RLIMIT_AS
        private static let dataSegment = RLIMIT_DATA
    #endif

    #if os(Linux)
        private static func resourceLimit(_ resource: __rlimit_resource_t) -> Int? {
            softLimit { getrlimit(resource, $0) }
        }
    #else
        private static func resourceLimit(_ resource: Int32) -> Int? {
            softLimit { getrlimit(resource, $0) }
        }
    #endif

    private static func softLimit(_ read: (UnsafeMutablePointer<rlimit>) -> Int32) -> Int? {
        var limit = rlimit()
        guard read(&limit) == 0, limit.rlim_cur <= UInt64(Int.max) else { return nil }
        return Int(limit.rlim_cur)
    }

    private static var physical: Int {
        let pages = sysconf(Int32(_SC_PHYS_PAGES))
        return pages < 0 ? .max : Int(pages) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
