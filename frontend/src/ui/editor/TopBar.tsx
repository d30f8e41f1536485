import { ArrowLeft, Ban, CircleHelp, EllipsisVertical, ListTree, SendHorizontal, SkipForward } from "lucide-react";
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
  const document = useEditor(session, (state) => state.store.current);
  const masks = [...document.masks.values()].filter((item) => item.status === "accepted" || item.status === "proposed");
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
        <span className="wide-only">
          <Badge>
            {progress.submitted} / {dataset.image_count} done
          </Badge>
        </span>
      </div>
      <span className="wide-only row">
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
          <DropdownMenu.Item className="menu__item" onSelect={() => page.toggleHelp()}>
            <CircleHelp size={16} aria-hidden />
            All keys
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
