"""The tables of bench/peers.py, from the facts that it has found."""

from quality import table


def seconds(value):
    if value < 1e-3:
        return f"{1e6 * value:.3g} us"
    return f"{1e3 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def megabytes(value):
    return f"{value / 1e6:.0f} MB" if value >= 1e7 else f"{value / 1e6:.1f} MB"


def times(value):
    return f"{value:.0f}x" if value >= 100 else f"{value:.3g}x"


# One cell each


def agreement(peer):
    found = peer["agreement"]
    word = "" if found["agrees"] else "**DIFFERS**: "
    if "why" in found:
        return word + found["why"]
    if "share_different" in found:
        return f"{word}{100 * found['share_different']:.2g} % of voxels differ"
    psnr = "equal" if found["psnr_db"] is None else f"{found['psnr_db']:.0f} dB" if found["psnr_db"] < 200 else "over 200 dB"
    return f"{word}{psnr}, at most {found['largest']:.2g}"


def remarks(peer, repeat):
    """How its definition differs, and what was measured otherwise than usual."""
    parts = [peer["differs"]] if peer["differs"] else []
    runs = len(peer["runs_s"])
    if not peer["warmed_up"]:
        parts.append("one run, no warm-up")
    elif runs < repeat:
        parts.append(f"{runs} run{'s' if runs > 1 else ''}")
    if peer.get("fraction", 1) > 1:
        parts.append(f"on 1/{peer['fraction']} of the slices (so is its memory), time multiplied")
    return "; ".join(parts)


def asked(target):
    bound, of = target["bound"], " and ".join(target["of"])
    return {
        "faster": f"{bound:g}x {of or 'the fastest peer'}",
        "copy": f"at most {bound:g}x a copy in memory",
        "codec": f"at most {bound:g}x ISA-L alone",
        "cp": f"at most {bound:g}x cp of as many bytes",
        "peak_mb": f"at most {bound:g} MB",
        "memory_share": f"at most {bound:g} of the memory of {of}",
    }[target["kind"]]


def reached(target):
    if target["met"] is None:
        return "not measured"
    value = f"{target['value']:.0f} MB" if target["kind"] == "peak_mb" else times(target["value"])
    return f"{value}, {'met' if target['met'] else '**missed**'}"


def fastest(found):
    peers = [peer for peer in found["peers"] if "median_s" in peer]
    if not peers:
        return ""
    best = min(peers, key=lambda peer: peer["median_s"])
    return f"{best['name']}: {seconds(best['median_s'])} ({times(best['median_s'] / found['revoxel']['median_s'])})"


def limit(own):
    """Seconds that the job takes at least, and what says so: moving its bytes, or the products of its sums."""
    rate = own.get("multiply_adds_per_s", 0)
    arithmetic = own["multiply_adds"] / rate if rate else 0.0
    return max((own["copy_s"], "memory"), (arithmetic, "arithmetic"))


def limit_cell(own):
    least, kind = limit(own)
    return f"{100 * least / own['median_s']:.0f} %, {kind}"


# Tables


def targets_cell(found):
    return "; ".join(f"{asked(target)}: {reached(target)}" for target in found["targets"])


def summary(found):
    """One row for each job; README has it."""
    host = found["machine"]
    head = ["job", "what", "revoxel", "of the limit", "peak memory", "fastest peer", "floors"]
    rows = []
    for job in found["in_memory"]:
        own = job["revoxel"]
        row = [job["name"], job["what"], seconds(own["median_s"]), limit_cell(own), megabytes(own["peak_bytes"])]
        rows.append([*row, fastest(job), targets_cell(job)])
    for job in found["files"]:
        own = job["revoxel"]
        row = [f"{job['name']}, files", job["what"], seconds(own["median_s"]), "", megabytes(own["peak_bytes"])]
        rows.append([*row, fastest(job), targets_cell(job)])
    note = f"{host['cpu']}, {host['threads']} threads each, {host['date']}, revoxel {host['commit']}."
    if host["scale"] != 1:
        note += f" **Every extent divided by {host['scale']}: a trial of the script, not a measurement.**"
    return f"{note}\n\n{table(head, rows)}"


def job_table(job, repeat, file):
    """revoxel and its peers on one job."""
    own = job["revoxel"]
    head = ["program", "median", "x revoxel", *([] if file else ["x revoxel, same definition"]), "peak memory"]
    head += ["the output file"] if file else []
    head += ["against revoxel with the same definition", "remarks"]
    size = lambda facts: [megabytes(facts["output_bytes"])] if file else []
    ratio = [] if file else [""]
    rows = [["revoxel", seconds(own["median_s"]), "1", *ratio, megabytes(own["peak_bytes"]), *size(own), "", ""]]
    if "anew_s" in own:
        anew = own["anew_s"]
        rows.append(["revoxel, all made anew", seconds(anew), times(anew / own["median_s"]), "", "", "", ""])
    for peer in job["peers"]:
        if "skipped" in peer:
            rows.append([peer["name"], "skipped", *[""] * (len(head) - 3), peer["skipped"]])
            continue
        same = [] if file else [times(peer["median_s"] / peer["same"]["median_s"])]
        rows.append(
            [peer["name"], seconds(peer["median_s"]), times(peer["median_s"] / own["median_s"]), *same]
            + [megabytes(peer["peak_bytes"]), *size(peer), agreement(peer), remarks(peer, repeat)]
        )
    return table(head, rows)


def memory_section(job, repeat):
    own = job["revoxel"]
    moved = own["input_bytes"] + own["output_bytes"]
    facts = (
        f"`revoxel resample {' '.join(job['options'])}`, executor {own['executor']}: {moved / own['median_s'] / 1e9:.2f} GB/s"
        f" read and written; copying as many bytes takes {seconds(own['copy_s'])}"
        f" ({moved / own['copy_s'] / 1e9:.2f} GB/s)."
    )
    if own.get("multiply_adds_per_s"):
        facts += (
            f" Its sums are {own['multiply_adds'] / 1e9:.3g} G multiply-adds, of which the CPU does"
            f" {own['multiply_adds_per_s'] / 1e9:.0f} G/s."
        )
    return f"### {job['name']}: {job['what']}\n\n{facts}\n\n{job_table(job, repeat, False)}\n\n{targets_table(job)}\n"


def limits_text(job):
    if "copies" in job:
        found = job["copies"]
        return (
            f"cp of as many bytes as are read and written: {seconds(found['same_bytes_s'])};"
            f" cp of the result: {seconds(found['result_s'])}."
        )
    found = job["codec"]
    if "skipped" in found:
        return f"ISA-L alone: not measured, {found['skipped']}."
    return (
        f"ISA-L alone (igzip): decoding the input {seconds(found['decode_s'])},"
        f" encoding the result at level 1, a part on each thread, {seconds(found['encode_s'])}."
    )


def file_section(job, repeat):
    facts = f"`revoxel resample {' '.join(job['options'])}`. {limits_text(job)}"
    return f"### {job['name']}: {job['what']}\n\n{facts}\n\n{job_table(job, repeat, True)}\n\n{targets_table(job)}\n"


def targets_table(job):
    return table(["floor", "found"], [[asked(target), reached(target)] for target in job["targets"]])


def versions(found):
    peers = (peer["version"] for job in found["in_memory"] for peer in job["peers"] if "version" in peer)
    return ", ".join(sorted({*peers, *found["machine"]["programs"]}, key=str.lower))


NOTES = """\
Medians of {repeat} runs after a warm-up, unless a remark says otherwise. In memory: from the input's type to the output's, both in
memory; where a peer knows only floats, conversion and rounding belong to it. revoxel, like VTK, writes into memory that it has
written before; `all made anew` allocates output, scratch and tables in each run, as SimpleITK, scipy, scikit-image and torch
do with their output. `Of the limit`: the time of a copy of as many bytes, or of the sums' multiply-adds at the rate that
the CPU reaches in registers (the larger of the two), as a share of revoxel's. Files: the whole process as a user would start it,
Python and imports included, the output not there before. Peak memory is that of the process, with input, output, interpreter
and libraries. scipy and scikit-image run on one thread, whatever they are given. Before times were compared, outputs were:
each with revoxel's under the options that mean the same (integers that were cut or rounded otherwise differ by 1)."""


def page(found):
    host = found["machine"]
    repeat = host["repeat"]
    lines = [
        f"# Speed, {host['date']}",
        "",
        f"{host['cpu']}, {host['cores']} cores, {host['memory_bytes'] / 1e9:.0f} GB, {host['system']};"
        f" {host['threads']} threads each. revoxel {host['revoxel']} ({host['commit']}).",
        f"Peers: {versions(found)}. {host['python']}.",
        "",
        NOTES.format(repeat=repeat),
        "",
        "## Summary",
        "",
        summary(found),
        "",
    ]
    if found["in_memory"]:
        lines += ["## In memory", "", *(memory_section(job, repeat) for job in found["in_memory"])]
    if found["files"]:
        lines += ["## From file to file", "", *(file_section(job, repeat) for job in found["files"])]
    return "\n".join(lines)


def disagreements(found):
    return [
        (job["name"], peer["name"])
        for job in found["in_memory"] + found["files"]
        for peer in job["peers"]
        if "agreement" in peer and not peer["agreement"]["agrees"]
    ]
