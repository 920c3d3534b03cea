"""The rule engine as a pure library: tenant folder in, decisions out. No network, no clock; only `loader` reads files.

    loader      load_folder(path) -> TenantFolder        check_folder(path) -> findings
    engine      compile_bundle(intake, rules) -> CompiledBundle, shared by threads
    facts       facts_of(document, intake) -> facts
    decide      decide(compiled, facts, document, phase, generation) -> Proposal
    words       explain(decision) -> text
    tenant_tests  run_tests(path, compiled) -> results of the tests beside the rules

Nothing is imported here, so that a process pays only for what it uses.
"""
