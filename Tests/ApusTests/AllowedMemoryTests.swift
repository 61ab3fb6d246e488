import Testing

@testable import Apus

struct AllowedMemoryTests {
    private func allowed(
        _ files: [String: String], limits: [Int?] = [], physical: Int = 1 << 40
    ) -> Int {
        AllowedMemory.bytes(readFile: { files[$0] }, limits: limits, physical: physical)
    }

    @Test func `without any limit it is the machine's memory`() {
        #expect(allowed([:], limits: [nil, nil], physical: 1 << 34) == 1 << 34)
        let unlimited = ["/proc/self/cgroup": "0::/app\n", "/sys/fs/cgroup/app/memory.max": "max\n"]
        #expect(allowed(unlimited, physical: 1 << 34) == 1 << 34)
    }

    @Test func `the limit of a control group of version 2 counts, and that of each parent`() {
        var files = [
            "/proc/self/cgroup": "0::/system/app\n",
            "/sys/fs/cgroup/system/app/memory.max": "3000\n",
            "/sys/fs/cgroup/system/memory.max": "max\n",
        ]
        #expect(allowed(files) == 3000)
        files["/sys/fs/cgroup/system/memory.max"] = "2000\n"
        #expect(allowed(files) == 2000)
        files["/sys/fs/cgroup/memory.max"] = "1000\n"
        #expect(allowed(files) == 1000)
    }

    @Test func `in a container the group is the root`() {
        #expect(allowed(["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup//memory.max": "5"]) == 1 << 40)
        #expect(allowed(["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "500\n"]) == 500)
    }

    @Test func `the limit of a control group of version 1 counts, and only that of the memory controller`() {
        let files = [
            "/proc/self/cgroup": "8:cpu,cpuacct:/app\n5:memory,hugetlb:/app\n0::/app\n",
            "/sys/fs/cgroup/memory/app/memory.limit_in_bytes": "4000\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ]
        #expect(allowed(files) == 4000)
    }

    @Test func `the least of all of them counts`() {
        let files = ["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "500\n"]
        #expect(allowed(files, limits: [400, nil]) == 400)
        #expect(allowed(files, limits: [nil, 600]) == 500)
        #expect(allowed(files, limits: [400], physical: 300) == 300)
    }

    @Test func `lines that are none of these change nothing`() {
        #expect(allowed(["/proc/self/cgroup": "nonsense\n1:\n::\n2:memory\n"]) == 1 << 40)
    }

    @Test func `this machine has some memory, and half of it is the budget`() {
        #expect(AllowedMemory.current > 64 << 20)
        #expect(AllowedMemory.defaultBudget == max(AllowedMemory.leastBudget, AllowedMemory.current / 2))
    }
}
