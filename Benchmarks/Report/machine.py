"""What the machine is, and how busy others keep it."""

import datetime
import os
import pathlib
import platform
import subprocess


def run(*command):
    """Returns what a command printed, on one line; empty where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()) if done.returncode == 0 else ""


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def describe(command):
    """Returns what a report says of where it comes from."""
    processor = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                      if line.startswith("model name")), platform.machine())
    memory = next((int(line.split()[1]) for line in read("/proc/meminfo").splitlines()
                   if line.startswith("MemTotal")), 0)
    changed = run("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": run("git", "rev-parse", "--short", "HEAD") + (" with changes" if changed else ""),
        "command": command,
        "processor": processor,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / (1 << 20)),
        "system": f"{platform.system()} {platform.release()}",
        "distribution": next((line.split("=", 1)[1].strip('"') for line in read("/etc/os-release").splitlines()
                              if line.startswith("PRETTY_NAME=")), ""),
        "congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "is_private_network": os.environ.get("APUS_BENCH_NAMESPACE") == "yes",
    }


def busy_seconds():
    """Returns the seconds that all CPUs were busy, stolen time included, since the system started."""
    fields = [int(field) for field in read("/proc/stat").splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, soft, steal = fields[:8]
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
