"""The numbers that a tenure is judged by (docs/scoring.md, "Obligations", other objectives for some work)."""

NAMING = ("pipeline", "model", "hardware", "workload")


def hardware_of(work, tie):
    """What the work ran on, as far as the tie says that told who had it."""
    if tie is None:
        return None
    _, pipeline, model = work
    gpus = tie.body["gpus"]
    naming = [gpu for gpu in gpus if model is not None and gpu.get("model") == model]
    naming = [gpu for gpu in naming if None in (pipeline, gpu.get("pipeline")) or gpu["pipeline"] == pipeline]
    idle = [gpu for gpu in gpus if "model" not in gpu and "pipeline" not in gpu]
    for some in (naming, idle):
        names = {gpu.get("name") for gpu in some}
        if len(names) == 1 and None not in names:
            return names.pop()
    return None


def warmth_of(work, tie):
    """Whether the tie that told who had the work offered its model warm."""
    model = work[2]
    offers = tie.body["offers"] if tie and model is not None else ()
    return next((offer["warm"] for offer in offers if offer.get("model") == model and "warm" in offer), None)


def class_of(row, work, tie, observe):
    """The class's row with the objectives of the work; the row itself where none fits."""
    workload, pipeline, model = work
    found = {"pipeline": pipeline, "model": model, "hardware": hardware_of(work, tie)}
    fitting = [
        objective for objective in observe.get("objective", ())
        if objective["workload"] == workload
        and all(objective[name] == value for name, value in found.items() if name in objective)
    ]  # fmt: skip
    if not fitting:
        return row
    # Of several as large, max takes the first.
    best = max(fitting, key=lambda objective: sum(name in objective for name in found))
    return row | {name: value for name, value in best.items() if name not in NAMING}
