"""The page of bench/gpu, from the facts that it has found. Nothing here measures."""

from gpu_files import REPEAT
from gpu_peers import DEFINITIONS

FLOOR = 1.5  # times the bytes' time, for a fused job
PEERS = {"linear": 2, "antialiased": 5, "spline": 10, "labels": 10}  # times revoxel's, by the job's group
CODEC = 0.9  # of its rate, from file to file
CODEC_CORES = 16
GROUPS = {"linear": "linear", "antialiased": "anti-aliased", "spline": "splines", "labels": "labels", "": "no target"}


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def ms(value):
    return f"{1e3 * value:.3g} us" if value < 0.1 else f"{value:.3g} ms" if value < 1e3 else f"{value / 1e3:.3g} s"


def seconds(value):
    return ms(1e3 * value)


def met(good):
    return "met" if good else "**MISSED**"


def differences(job):
    check = job["check"]
    return check["different"] + check.get("different_after_timing", 0)


def timed_jobs(found):
    """By name; only those whose every voxel is right have a time that counts."""
    return {job["name"]: job for job in found["jobs"] if "times" in job and differences(job) == 0}


def ratio(found, row):
    """How many times revoxel's time a peer takes; None where one of the two has none."""
    own = timed_jobs(found).get(row["job"])
    if own is None or "times" not in row or not row["agreement"]["agrees"]:
        return None
    return row["times"]["median_ms"] / own["times"]["median_ms"]


def group_of(found, row):
    return next((job["group"] for job in found["jobs"] if job["name"] == row["job"]), "")


def wrong(found):
    """What makes a run a failure, a line each."""
    lines = [f"{job['name']}: {differences(job)} voxels differ" for job in found["jobs"] if differences(job)]
    lines += [f"launch: {one['graph_different']} voxels of the graph differ" for one in found["launch"] if one["graph_different"]]
    lines += [f"{one['name']}: {one['why']}" for one in found["failed"]]
    for row in found["peers"]:
        if "agreement" in row and not row["agreement"]["agrees"]:
            lines.append(f"{row['peer']} on {row['job']}: {agreement(row)}")
    for name, job in (found["files"] or {"jobs": {}})["jobs"].items():
        if job.get("same") is False:
            lines.append(f"files, {name}: --backend cuda and cpu differ")
    return lines


# Targets


def floor_target(found):
    fused = [job for job in timed_jobs(found).values() if job["fused"]]
    over = [f"{job['name']} {job['over_floor']:.2f}x" for job in fused if job["over_floor"] > FLOOR]
    text = f"fused straight jobs at most {FLOOR:g}x the time of their bytes"
    if not fused:
        return [text, "not measured", ""]
    return [text, met(not over), f"{len(fused) - len(over)} of {len(fused)}" + (": " + ", ".join(over) if over else "")]


def peer_target(found, group):
    bound = PEERS[group]
    rows = [(ratio(found, row), row) for row in found["peers"] if group_of(found, row) == group]
    rows = [(value, row) for value, row in rows if value is not None]
    text = f"{GROUPS[group]}: each peer at least {bound}x revoxel's time"
    if not rows:
        return [text, "not measured", ""]
    close = [(value, row) for value, row in sorted(rows, key=lambda pair: pair[0]) if value < bound]
    said = ", ".join(f"{row['peer']} on {row['job']} {value:.3g}x" for value, row in close)
    least = min(value for value, _ in rows)
    return [text, met(not close), f"{len(rows) - len(close)} of {len(rows)}; least {least:.3g}x" + (f": {said}" if said else "")]


def file_target(found):
    text = f"from .nii.gz to .nii.gz on {CODEC_CORES} cores: at least {100 * CODEC:.0f} % of the codec's rate"
    jobs = (found["files"] or {"jobs": {}})["jobs"]
    rates = {name: job["limit_s"] / job["cuda"]["median_s"] for name, job in jobs.items() if "median_s" in job["cuda"]}
    if not rates:
        return [text, "not measured", ""]
    said = ", ".join(f"{name} {100 * rate:.0f} %" for name, rate in rates.items())
    cores = found["files"]["threads"]
    if cores != CODEC_CORES:
        return [text, f"not measured: {cores} cores", said]
    return [text, met(min(rates.values()) >= CODEC), said]


def targets(found):
    rows = [floor_target(found), *(peer_target(found, group) for group in PEERS), file_target(found)]
    return table(["target", "", "found"], rows)


# Tables


def voxels_of(job):
    return f"{job['input']['dtype']} to {job['output']['dtype']}"


def job_row(job):
    bits = f"equal, {job['check']['voxels']:,} voxels" if differences(job) == 0 else f"**{differences(job):,} DIFFER**"
    row = [job["name"], job["what"], voxels_of(job), bits]
    if "times" not in job or differences(job):
        return [*row, "", "", "", "", ""]
    times = job["times"]
    percent = f"{100 / job['over_floor']:.0f} %"
    over = f"{job['over_floor']:.2f}x" + (f", {met(job['over_floor'] <= FLOOR)}" if job["fused"] else "")
    spread = f"{ms(times['low_ms'])} to {ms(times['high_ms'])}"
    return [*row, ms(times["median_ms"]), spread, f"{job['floor_bytes'] / 1e9:.3f} GB, {ms(job['floor_ms'])}", over, percent]


def jobs_table(found):
    head = ["job", "what", "types", "bits", "median", "middle half", "bytes, at the copy's rate", "over that", "of the copy's rate"]
    return table(head, [job_row(job) for job in found["jobs"]])


def agreement(row):
    facts = row["agreement"]
    word = "" if facts["agrees"] else "**DIFFERS**: "
    if "why" in facts:
        return word + facts["why"]
    if "share_different" in facts:
        return f"{word}{100 * facts['share_different']:.2g} % of voxels differ"
    return f"{word}at most {facts['largest']:.2g}, {facts['share_of_range']:.1g} of the range (allowed {facts['tolerance']:g})"


def peer_row(found, row):
    value, bound = ratio(found, row), PEERS.get(group_of(found, row))
    compared = agreement(row) if "agreement" in row else ""
    if "failed" in row:
        return [row["job"], row["peer"], "", "", "", compared, f"not measured: {row['failed']}"]
    cells = [row["job"], row["peer"], row["library"]]
    if "times" not in row:
        return [*cells, "", "", compared, row["remark"]]
    times = f"{ms(row['times']['median_ms'])} ({ms(row['times']['low_ms'])} to {ms(row['times']['high_ms'])})"
    if value is None:
        return [*cells, times, "", compared, row["remark"]]
    target = f" ({bound}x: {met(value >= bound)})" if bound else ""
    return [*cells, times, f"{value:.3g}x{target}", compared, row["remark"]]


def peers_table(found):
    order = {job["name"]: n for n, job in enumerate(found["jobs"])}
    rows = sorted(found["peers"], key=lambda row: order.get(row["job"], len(order)))
    head = ["revoxel's job", "peer", "version", "median (middle half)", "x revoxel", "compared with revoxel", "remarks"]
    return table(head, [peer_row(found, row) for row in rows])


def launch_text(found):
    lines = []
    for one in found["launch"]:
        lines.append(
            f"{one['what'].capitalize()}: queued in {one['queue_us']:.3g} us, queued and waited for in"
            f" {one['queue_and_wait_us']:.3g} us; on the device {one['device_us']:.3g} us a run, queued one after the other,"
            f" {one['graph_device_us']:.3g} us replayed as a CUDA graph."
        )
    return "\n".join(lines) or "Not measured."


def file_row(name, job):
    cell = lambda facts: seconds(facts["median_s"]) if "median_s" in facts else f"failed: {facts['failed']}"
    row = [name, " ".join(job["options"]), cell(job["cuda"]), cell(job["cpu"])]
    if "codec" not in job:
        return [*row, "", "", "", ""]
    codec = job["codec"]
    share = lambda facts: f"{100 * job['limit_s'] / facts['median_s']:.0f} %" if "median_s" in facts else ""
    return [*row, seconds(codec["decode_s"]), seconds(codec["encode_s"]), share(job["cuda"]), share(job["cpu"])]


def files_text(found):
    if not found["files"]:
        return "Not measured."
    files = found["files"]
    head = ["job", "options", "--backend cuda", "--backend cpu", "decoding alone", "encoding alone"]
    head += ["cuda, of the codec's rate", "cpu"]
    counts = lambda extent: " x ".join(map(str, extent))
    return (
        f"{files['scan']} ({counts(files['scan_extent'])}), made {counts(files['extent'])} voxels; {files['threads']} threads;"
        f" medians of {REPEAT} runs of the program after one, start of the process included. The codec alone works in memory; its"
        " rate is that of the slower of decoding on one core and encoding on all, while the other runs.\n\n"
        + table(head, [file_row(name, job) for name, job in files["jobs"].items()])
    )


def clocks_text(found):
    cell = lambda clocks: ", ".join(f"{key} {value}" for key, value in clocks.items()) if clocks else "nvidia-smi is not there"
    return f"Before: {cell(found['clocks_before'])}. After: {cell(found.get('clocks_after'))}. Read, never set."


def copy_text(device):
    if "copy_gb_s" not in device:
        return ""
    return (
        f"A copy on the device moves {device['copy_gb_s']:.0f} GB/s, bytes read and written (by the driver"
        f" {device['copy_by_driver_gb_s']:.0f}, by a CUDA kernel {device['copy_by_kernel_gb_s']:.0f}): that is 100 %."
    )


def left_out(found):
    rows = [[one["name"], "**failed**", one["why"]] for one in found["failed"]]
    return table(["job", "", "why"], rows) if rows else "Nothing."


def cuda_version(number):
    return f"{number // 1000}.{number % 1000 // 10}"


def summary(found):
    """What a terminal shows at the end."""
    device = found["device"]
    lines = [f"{device['name']}, {found['date']}, {found['commit']}. {copy_text(device)}", "", targets(found)]
    return "\n".join([*lines, "", *(f"WRONG: {line}" for line in wrong(found))]).rstrip()


def page(found):
    device = found["device"]
    driver = (found["clocks_before"] or {}).get("driver_version", "unknown")
    lines = [
        f"# On a GPU: {device['name']}, {found['date']}",
        "",
        f"{device['name']} (compute {device['compute']}, {device['multiprocessors']} multiprocessors,"
        f" {device['memory_bytes'] / 1e9:.0f} GB, L2 {device['l2_bytes'] / 1e6:.0f} MB), driver {driver} (CUDA"
        f" {cuda_version(device['driver_cuda'])}), built with CUDA {cuda_version(device['runtime_cuda'])};"
        f" {found['cpu']}, {found['cores']} cores. revoxel {device['revoxel']}, {found['commit']}.",
        clocks_text(found),
        copy_text(device),
        "Written by `bench/gpu`.",
        "",
    ]
    if found["scale"] != 1:
        lines += [f"**Every extent divided by {found['scale']}: a trial of the script, not a measurement.**", ""]
    lines += ["## Targets", "", targets(found), ""]
    if wrong(found):
        lines += ["**Wrong:**", "", *(f"- {line}" for line in wrong(found)), ""]
    lines += [
        "## Jobs", "",
        "Volumes on the device before and after; every voxel compared with the CPU executor, which is the reference's; from event"
        " to event. Bytes: input read once, output written once.",
        "", jobs_table(found), "",
        "## Launches", "", launch_text(found), "",
        "## Peers", "", DEFINITIONS, "",
        f"Compared on instances of 1/{found.get('compared_at_scale', '?')} of the extents, timed on full ones.", "",
        peers_table(found) if found["peers"] else "Not measured.", "",
        "## From file to file", "", files_text(found), "",
        "## Not there", "", left_out(found), "",
    ]  # fmt: skip
    return "\n".join(lines)
