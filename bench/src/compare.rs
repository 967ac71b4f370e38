//! Measuring several servers in turn, all in one run.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use clap::ValueEnum as _;

use crate::artifact::{package, programs};
use crate::cli::Compare;
use crate::docs;
use crate::fault::{At as _, Fault};
use crate::figures::Figures;
use crate::load::Load;
use crate::machine;
use crate::measure::Sample;
use crate::mount::Layout;
use crate::pin::{allowed, pin};
use crate::plot;
use crate::report::{Case, PLOTS, Report, Row, Set};
use crate::subject::{Programs, Server, Subject};
use crate::table;
use crate::workload::{Echo, Size, Task, Workload};

/// Measures, prints the tables and writes the report.
///
/// # Errors
/// Less than two processors, or a file cannot be written. A server that cannot be measured is no
/// error: the report says why.
pub(crate) fn run(options: &Compare) -> Result<(), Fault> {
    let report = measure(options)?;
    println!("{}", table::markdown(&report));
    let out = options.out.clone();
    let out = out.unwrap_or_else(|| package().join("target/report"));
    let plots = out.join(PLOTS);
    fs::create_dir_all(&plots).at(plots.display())?;
    let json = out.join("report.json");
    fs::write(&json, format!("{:#}\n", report.json())).at(json.display())?;
    fs::write(out.join("report.md"), table::markdown(&report)).at("report.md")?;
    for (name, svg) in plot::all(&report) {
        fs::write(plots.join(&name), &svg).at(name)?;
    }
    if options.docs {
        docs::write(&report)?;
    }
    eprintln!("the report is in {}", out.display());
    Ok(())
}

fn measure(options: &Compare) -> Result<Report, Fault> {
    let mut subjects = options.subjects.clone();
    if subjects.is_empty() {
        subjects = Subject::ALL.to_vec();
    }
    let processors = allowed()?;
    let client = options.client_processor.or(processors.first().copied());
    let server = options.server_processor.or(processors.last().copied());
    let (Some(client), Some(server)) = (client, server) else {
        return Err(Fault::new("no processor"));
    };
    if client == server {
        let fault = "server and load need a processor each";
        return Err(Fault::new(fault));
    }
    let programs = programs(options, &subjects);
    let facts = machine::facts(&programs);
    pin(client)?;
    let mut contest = Contest {
        programs,
        processors: (server, client),
        time: Duration::from_secs_f64(options.seconds),
        servers: BTreeMap::new(),
        sizes: Vec::new(),
    };
    for subject in &subjects {
        contest.start(*subject);
    }
    let mut rows = Vec::new();
    for (set, workloads, rounds) in sets(options) {
        let layouts = set.layouts();
        let cases = workloads.iter().flat_map(|workload| {
            layouts.iter().map(move |layout| Case {
                set,
                workload: *workload,
                layout: *layout,
            })
        });
        rows.extend(contest.rounds(&subjects, &cases.collect::<Vec<_>>(), rounds));
    }
    Ok(Report {
        subjects,
        facts,
        rounds: options.rounds,
        curve_rounds: options.curve_rounds,
        seconds: options.seconds,
        rows,
    })
}

fn sets(options: &Compare) -> Vec<(Set, Vec<Workload>, usize)> {
    let mut workloads = options.workloads.clone();
    if workloads.is_empty() {
        workloads = Workload::value_variants().to_vec();
    }
    let mut sets = vec![
        (Set::Busy, workloads.clone(), options.rounds),
        (Set::Single, workloads, options.rounds),
    ];
    if options.curve_rounds > 0 {
        let workload = vec![options.curve_workload];
        sets.push((Set::Connections, workload.clone(), options.curve_rounds));
        sets.push((Set::Slots, workload, options.curve_rounds));
    }
    sets
}

/// The servers that run, and how they are measured.
struct Contest {
    programs: Programs,
    /// That of the servers and that of the load.
    processors: (usize, usize),
    time: Duration,
    servers: BTreeMap<Subject, Result<Server, Fault>>,
    /// The records of each workload, as the first server that was measured sends them.
    sizes: Vec<(Workload, Vec<Size>)>,
}

impl Contest {
    /// Starts a server; one that cannot be started has its reason kept.
    fn start(&mut self, subject: Subject) {
        let (processor, back) = self.processors;
        let server = Server::start(subject, &self.programs, processor, back);
        if let Err(why) = &server {
            eprintln!("NOT RUN: {}: {why}", subject.title());
        }
        self.servers.insert(subject, server);
    }

    /// Measures every case in every round with all subjects, each time with another one first.
    fn rounds(&mut self, subjects: &[Subject], cases: &[Case], rounds: usize) -> Vec<Row> {
        let mut taken: Vec<BTreeMap<Subject, Result<Vec<Sample>, Fault>>> =
            vec![BTreeMap::new(); cases.len()];
        for round in 0..rounds {
            for (case, taken) in cases.iter().zip(&mut taken) {
                let layout = case.layout;
                eprintln!(
                    "{} {}: {} connections, {} sessions, {} slots in flight; round {}",
                    case.set.name(),
                    case.workload.name(),
                    layout.connections,
                    layout.sessions,
                    layout.connections * layout.depth,
                    round + 1
                );
                for turn in 0..subjects.len() {
                    let subject = subjects[(round + turn) % subjects.len()];
                    let samples = taken.entry(subject).or_insert_with(|| Ok(Vec::new()));
                    let Ok(so_far) = samples else {
                        continue;
                    };
                    match self.measure(subject, case.workload, layout) {
                        Ok(sample) => so_far.push(sample),
                        Err(why) => {
                            eprintln!("NOT RUN: {}: {why}", subject.title());
                            *samples = Err(why);
                        }
                    }
                }
            }
        }
        let rows = cases.iter().zip(taken);
        rows.map(|(case, taken)| Row {
            case: *case,
            results: taken.into_iter().map(summary).collect(),
        })
        .collect()
    }

    fn measure(
        &mut self,
        subject: Subject,
        workload: Workload,
        layout: Layout,
    ) -> Result<Sample, Fault> {
        if matches!(subject, Subject::Echo | Subject::Plain) {
            let sizes = self.sizes(workload)?;
            let echoes = echoes(subject, workload, &sizes)?;
            let load = self.load(subject, layout, self.time)?;
            let mut sample = load.run_echo(&echoes)?;
            sample.count_as_one(workload.requests_in_one(sizes.len()));
            return Ok(sample);
        }
        let ended = match self.servers.get_mut(&subject) {
            Some(Ok(server)) => server.has_ended(),
            _ => false,
        };
        if ended {
            self.start(subject);
        }
        let sample = self.load(subject, layout, self.time)?.run(workload)?;
        // What mostly fails was not measured.
        if sample.failed() as f64 * 100.0 > sample.requests {
            let first = sample.errors.keys().next().cloned().unwrap_or_default();
            return Err(Fault::new(format!(
                "{} replies fail: {first}",
                sample.failed()
            )));
        }
        Ok(sample)
    }

    fn load(&self, subject: Subject, layout: Layout, time: Duration) -> Result<Load, Fault> {
        let missing = || Err(Fault::new("it is not asked for"));
        let server = match self.servers.get(&subject) {
            None => return missing(),
            Some(Err(why)) => return Err(why.clone()),
            Some(Ok(server)) => server,
        };
        Ok(Load {
            server: server.address,
            process: Some(server.process()),
            layout,
            warm_up: time / 5,
            time,
        })
    }

    /// The records that a workload exchanges, taken from the first server that can be asked.
    fn sizes(&mut self, workload: Workload) -> Result<Vec<Size>, Fault> {
        if let Some((_, sizes)) = self.sizes.iter().find(|(known, _)| *known == workload) {
            return Ok(sizes.clone());
        }
        let layout = Set::Single.layouts()[0];
        let real = Subject::ALL
            .iter()
            .filter(|subject| !matches!(subject, Subject::Echo | Subject::Plain));
        for subject in real {
            let load = self.load(*subject, layout, Duration::from_millis(50));
            let sample = load.and_then(|load| load.run(workload));
            if let Ok(sample) = sample
                && sample.failed() == 0
                && !sample.sizes.is_empty()
            {
                self.sizes.push((workload, sample.sizes.clone()));
                return Ok(sample.sizes);
            }
        }
        Err(Fault::new("no server tells how long its records are"))
    }
}

/// What the echo server or the plain one is asked for, instead of a workload with records of these sizes.
///
/// # Errors
/// The workload is about more than the plain server does.
fn echoes(subject: Subject, workload: Workload, sizes: &[Size]) -> Result<Vec<Echo>, Fault> {
    let steps = workload.steps(sizes.len());
    let sizes = steps.iter().zip(sizes);
    let echoes = sizes.map(|(step, size)| {
        let task = match subject {
            Subject::Plain => step.task()?,
            _ => Task::Nothing,
        };
        Some(Echo { size: *size, task })
    });
    let echoes: Option<Vec<_>> = echoes.collect();
    echoes.ok_or_else(|| Fault::new("it only reads, writes and asks for attributes"))
}

fn summary(
    (subject, samples): (Subject, Result<Vec<Sample>, Fault>),
) -> (Subject, Result<Figures, Fault>) {
    let figures = samples.and_then(|samples| {
        Figures::of(&samples).ok_or_else(|| Fault::new("no round was asked for"))
    });
    (subject, figures)
}
