import {
  ArrowLeft,
  Ban,
  ChevronLeft,
  CircleHelp,
  EllipsisVertical,
  ListTree,
  SendHorizontal,
  SkipForward,
  SlidersHorizontal,
} from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { Link } from "react-router";
import type { EditorSession } from "../../actions/editorSession";
import type { Page } from "../../actions/registry";
import type { Dataset } from "../../api/types";
import { Badge, Button, buttonClass, IconButton, Tooltip } from "../kit/kit";
import { useEditor } from "./useEditor";

interface TopBarProps {
  session: EditorSession;
  dataset: Dataset;
  page: Page;
  busy: boolean;
  openList: () => void;
}

export function TopBar({ session, dataset, page, busy, openList }: TopBarProps) {
  const { image } = session.options;
  const editable = useEditor(session, (state) => state.editable);
  const masks = useEditor(session, (state) => state.layout.listed());
  const { progress } = dataset;
  return (
    <header className="editor__top">
      <Tooltip label={`Back to ${dataset.name}`} stroke="Alt+←">
        <Link
          className={buttonClass("quiet", undefined, "button--icon")}
          to={`/datasets/${dataset.id}`}
          aria-label={`Back to ${dataset.name}`}
        >
          <ArrowLeft size={19} aria-hidden />
        </Link>
      </Tooltip>
      <div className="editor__title">
        <h1 title={image.file_name}>{image.file_name}</h1>
        <span className="muted small wide-only editor__meta">
          {image.width} × {image.height}
          {image.credit && ` · ${image.credit}`}
        </span>
        <span className="wide-only editor__progress">
          <Badge>
            {progress.submitted} / {dataset.image_count} done
          </Badge>
          <progress
            className="bar"
            aria-label="Progress through the dataset"
            max={Math.max(1, dataset.image_count)}
            value={progress.submitted}
          />
        </span>
      </div>
      <span className="wide-only row">
        <IconButton
          icon={SlidersHorizontal}
          look="quiet"
          label="Picture and view"
          stroke="I"
          onClick={() => page.toggleView()}
        />
        <IconButton
          icon={ChevronLeft}
          look="quiet"
          label="Back to the image before"
          stroke="Ctrl+←"
          onClick={() => page.along(-1)}
        />
        <Button look="quiet" icon={SkipForward} disabled={!editable || busy} onClick={() => page.skip()}>
          Skip
        </Button>
        {masks.length === 0 && (
          <Button icon={Ban} disabled={!editable || busy} onClick={() => page.submit("nothing_left")}>
            Nothing to mask here
          </Button>
        )}
      </span>
      <Tooltip label="Submit and open the next image" stroke="Ctrl+Enter">
        <Button
          look="primary"
          icon={SendHorizontal}
          disabled={!editable}
          busy={busy}
          onClick={() => page.submit("done")}
        >
          <span className="wide-only">Submit and next</span>
          <span className="narrow-only">Submit</span>
        </Button>
      </Tooltip>
      <span className="side-toggle">
        <Button icon={ListTree} onClick={openList} aria-label={`Show the ${masks.length} masks`}>
          {masks.length}
        </Button>
      </span>
      <MoreMenu page={page} editable={editable && !busy} />
      <span className="wide-only">
        <IconButton icon={CircleHelp} look="quiet" label="All keys" stroke="?" onClick={() => page.toggleHelp()} />
      </span>
    </header>
  );
}

/** Narrow screens: what has no room in the bar. */
function MoreMenu({ page, editable }: { page: Page; editable: boolean }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="button button--quiet button--icon narrow-only" aria-label="More">
        <EllipsisVertical size={19} aria-hidden />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={6}>
          <DropdownMenu.Item className="menu__item" disabled={!editable} onSelect={() => page.submit("nothing_left")}>
            <Ban size={16} aria-hidden />
            Nothing to mask here
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu__item" disabled={!editable} onSelect={() => page.skip()}>
            <SkipForward size={16} aria-hidden />
            Skip
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu__item" onSelect={() => page.along(-1)}>
            <ChevronLeft size={16} aria-hidden />
            Back to the image before
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu__item" onSelect={() => page.toggleView()}>
            <SlidersHorizontal size={16} aria-hidden />
            Picture and view
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu__item" onSelect={() => page.toggleHelp()}>
            <CircleHelp size={16} aria-hidden />
            All keys
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
